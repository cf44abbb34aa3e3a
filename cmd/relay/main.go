// Command relay publishes the committed messages of outboxes to RabbitMQ.
package main

import (
	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/relaycmd"
	"go.example/saga/internal/footprint"
)

func main() {
	footprint.Low.Keep()
	footprint.OneProcessor()
	cli.Main(relaycmd.New())
}
