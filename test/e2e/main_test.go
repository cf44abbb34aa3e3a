// Package e2e looks at the daemons from outside: as they are shipped, and in process
// where a scenario stands between them and the broker.
package e2e

import (
	"testing"

	"go.example/saga/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }
