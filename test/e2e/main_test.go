// Package e2e runs the daemons as they are shipped and looks at them from outside.
package e2e

import (
	"testing"

	"go.example/saga/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }
