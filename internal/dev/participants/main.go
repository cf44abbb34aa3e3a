// Command participants is the sample's hotel and payment services in one process, for tables
// of both in one schema: a queue of commands that belongs to both must not be read by one of
// them alone.
package main

import (
	"go.example/saga/internal/app/sample"
	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/samplecmd"
	"go.example/saga/internal/footprint"
)

func main() {
	footprint.Usual.Keep()
	footprint.OneProcessor()
	cli.Main(samplecmd.Participant("The sample's hotel and payment services in one process",
		sample.Together("participants", sample.Hotel(), sample.Payment())))
}
