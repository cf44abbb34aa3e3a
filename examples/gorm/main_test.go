package main

import (
	"testing"

	"go.example/saga/examples/internal/exampletest"
	"go.example/saga/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func TestRun(t *testing.T) { exampletest.Run(t, run) }
