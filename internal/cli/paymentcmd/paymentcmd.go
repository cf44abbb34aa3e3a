// Package paymentcmd is the command line of the payment service.
package paymentcmd

import (
	"github.com/spf13/cobra"

	"go.example/saga/internal/app/sample"
	"go.example/saga/internal/cli/samplecmd"
	"go.example/saga/internal/sample/payment"
	sagasql "go.example/saga/sql"
)

// New is the command "payment".
func New() *cobra.Command {
	return samplecmd.Participant("The sample's payment service: charges and refunds cards", payment.Thing, sample.Participant{
		Name: "payment", Part: payment.Reaction(), Line: sagasql.Payment, Reads: payment.Handler,
	})
}
