package httpcall_test

import (
	"testing"

	"go.example/saga/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }
