// Package reservationcmd is the command line of the reservation service: serve
// it, and place and follow reservations over its HTTP interface.
package reservationcmd

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"go.example/saga/internal/app/sample"
	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/samplecmd"
	"go.example/saga/internal/config"
)

const serveHelp = `Serve the HTTP interface and learn from events how the sagas end.

DATABASE_URL, DATABASE_SCHEMA (public), AMQP_URL, LISTEN_ADDR (127.0.0.1:8080), HEALTH_ADDR,
LOG_LEVEL, LOG_FORMAT,
SERVICE (reservation): whose sagas these are; the orchestrator's is the same.
CHOREOGRAPHY (false): place reservations without an orchestrator, by facts alone.
RESERVATION_MAX_RUNNING (10000): while more sagas run, new ones are answered 503.
HOTEL_URL, PAYMENT_URL, for example http://127.0.0.1:8082: where these services show what they
hold (their LISTEN_ADDR), for GET /api/v1/reservations/{id}?expand=booking,payment,saga. Without
one of them there is no such part. PARTS_WITHIN (2s): how long all parts of an answer have.
EVENT_PATIENCE (1m): for how long an event fails alone before it is set aside.
QUARANTINE_KEEP_HANDLED (168h), QUARANTINE_KEEP_DEAD (720h): when what was set aside is deleted.

` + config.Help + `

It creates or updates its tables first. A role that may not do so needs none of that
where ` + "`migrate`" + ` was run before, see docs/roles.md.`

// New is the command "reservation".
func New() *cobra.Command {
	root := &cobra.Command{
		Use:   "reservation",
		Short: "The sample's reservation service, and a client for it",
		Example: `  reservation serve
  reservation place --room 1 --from 2027-01-10 --to 2027-01-12 --guest ada --amount 49900 --card-last4 1111 --wait`,
	}
	root.AddCommand(
		samplecmd.Serve("reservation", "Serve the HTTP interface", serveHelp, serve),
		samplecmd.Migrate("reservation", sample.ReservationLines...),
		samplecmd.Quarantine("reservation"),
		newPlace(),
		newGet(),
		cli.Healthcheck("reservation"),
	)
	return root
}

func serve(ctx context.Context, file string) error {
	settings := sample.DefaultReservationSettings()
	if err := errors.Join(config.Load(file, &settings), settings.RequireBroker()); err != nil {
		return cli.Usagef("%w", err)
	}
	return sample.ServeReservation(ctx, settings)
}
