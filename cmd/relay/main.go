// Command relay publishes the committed messages of outboxes to RabbitMQ.
package main

import (
	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/relaycmd"
)

func main() { cli.Main(relaycmd.New()) }
