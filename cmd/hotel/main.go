// Command hotel books and releases rooms: the saga step room-booking.
package main

import (
	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/hotelcmd"
)

func main() { cli.Main(hotelcmd.New()) }
