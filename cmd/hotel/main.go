// Command hotel books and releases rooms: the saga step room-booking.
package main

import (
	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/hotelcmd"
	"go.example/saga/internal/footprint"
)

func main() {
	footprint.Usual.Keep()
	footprint.OneProcessor()
	cli.Main(hotelcmd.New())
}
