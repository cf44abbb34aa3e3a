// Package fault kills what runs, takes its servers away, and checks with SQL that
// nothing was lost, doubled or left standing.
package fault

import (
	"testing"

	"go.example/saga/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }
