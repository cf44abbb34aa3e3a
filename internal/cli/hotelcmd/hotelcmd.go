// Package hotelcmd is the command line of the hotel service.
package hotelcmd

import (
	"github.com/spf13/cobra"

	"go.example/saga/internal/app/sample"
	"go.example/saga/internal/cli/samplecmd"
)

// New is the command "hotel".
func New() *cobra.Command {
	return samplecmd.Participant("The sample's hotel service: books and releases rooms", sample.Hotel())
}
