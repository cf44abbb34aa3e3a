// Command payment charges and refunds cards: the saga step payment.
package main

import (
	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/paymentcmd"
)

func main() { cli.Main(paymentcmd.New()) }
