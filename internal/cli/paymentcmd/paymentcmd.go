// Package paymentcmd is the command line of the payment service.
package paymentcmd

import (
	"github.com/spf13/cobra"

	"go.example/saga/internal/app/sample"
	"go.example/saga/internal/cli/samplecmd"
)

// New is the command "payment".
func New() *cobra.Command {
	return samplecmd.Participant("The sample's payment service: charges and refunds cards", sample.Payment())
}
