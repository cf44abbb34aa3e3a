// Command orchestrator drives sagas: it turns replies and timeouts into the next
// commands, and shows where every saga stands.
package main

import (
	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/orchestratorcmd"
	"go.example/saga/internal/footprint"
)

func main() {
	footprint.Usual.Keep()
	footprint.OneProcessor()
	cli.Main(orchestratorcmd.New())
}
