package reservationcmd

import (
	"github.com/spf13/cobra"

	"go.example/saga/internal/cli"
)

func newPlace() *cobra.Command {
	var c client
	var w wish
	var o output
	var key, lastFour string
	var fromStdin bool
	cmd := &cobra.Command{
		Use:   "place",
		Short: "Ask a running service for a room",
		Example: `  reservation place --room 1 --from 2027-01-10 --to 2027-01-12 --guest g1 --amount 49900 --card-last4 7999 --wait
  CARD_NUMBER=… reservation place --room 1 …`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			card, err := cardNumber(lastFour, fromStdin, cmd.InOrStdin())
			if err != nil {
				return err
			}
			w.CreditCardNo = card
			placed, err := c.place(cmd.Context(), w, key)
			if err != nil {
				return err
			}
			return o.show(cmd, c, placed)
		},
	}
	serverFlag(cmd, &c)
	o.flags(cmd)
	flags := cmd.Flags()
	flags.Int64Var(&w.HotelID, "hotel", 1, "hotel")
	flags.Int64Var(&w.RoomID, "room", 0, "room of the hotel")
	flags.StringVar(&w.StartDate, "from", "", "first night, as 2027-01-10")
	flags.StringVar(&w.EndDate, "to", "", "day of departure, as 2027-01-12")
	flags.StringVar(&w.GuestID, "guest", "", "the guest's id")
	flags.Int64Var(&w.PaymentDue, "amount", 0, "what to charge, in minor units (cents)")
	flags.StringVar(&lastFour, "card-last4", "", "last four digits of the card")
	flags.BoolVar(&fromStdin, "card-stdin", false, "read the card number from the first line of standard input")
	flags.StringVar(&key, "idempotency-key", "", "makes repeating the command safe")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		for _, name := range []string{"room", "from", "to", "guest", "amount"} {
			if !flags.Changed(name) {
				return cli.Usagef("--%s is missing (see %s --help)", name, cmd.CommandPath())
			}
		}
		return nil
	}
	return cmd
}
