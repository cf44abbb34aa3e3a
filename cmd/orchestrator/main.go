// Command orchestrator drives sagas: it turns replies and timeouts into the next
// commands, and shows where every saga stands.
package main

import (
	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/orchestratorcmd"
)

func main() { cli.Main(orchestratorcmd.New()) }
