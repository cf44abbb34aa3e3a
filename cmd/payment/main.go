// Command payment charges and refunds cards: the saga step payment.
package main

import (
	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/paymentcmd"
	"go.example/saga/internal/footprint"
)

func main() {
	footprint.Usual.Keep()
	footprint.OneProcessor()
	cli.Main(paymentcmd.New())
}
