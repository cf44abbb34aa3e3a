// Command reservation takes reservations over HTTP and starts a saga for each.
package main

import (
	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/reservationcmd"
	"go.example/saga/internal/footprint"
)

func main() {
	footprint.Usual.Keep()
	cli.Main(reservationcmd.New())
}
