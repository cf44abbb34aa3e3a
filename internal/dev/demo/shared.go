package demo

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"go.example/saga/internal/dev/stack"
)

var (
	//go:embed shared_tables.sql
	sharedTablesSQL string
	//go:embed shared_acts.sql
	sharedActsSQL string
)

// sharers are the services of the sample, as their schemas are called.
var sharers = []string{"reservation", "hotel", "payment"}

// shared shows where the tables of services lie that share a database, and compares what each of
// them holds for the reservations.
func (env environment) shared(ctx context.Context, tale *story, daemons *stack.Stack) error {
	form := env.stack.Form
	var schemas []string
	acts := sharedActsSQL
	for _, service := range sharers {
		schemas = append(schemas, form.Schema(service))
		acts = strings.ReplaceAll(acts, " "+service+".", " "+form.Schema(service)+".")
	}
	where := &story{out: tale.out, conn: tale.conn, keys: schemas}
	if err := where.table(ctx, "Where the tables of this database lie:", sharedTablesSQL); err != nil {
		return err
	}
	status, err := daemons.Command(ctx, "relay", "status")
	if err != nil {
		return err
	}
	fmt.Fprintf(tale.out, "\nOne relay for all of them (relay status):\n%s", status)
	held := &story{out: tale.out, conn: tale.conn, keys: tale.keys}
	if err := held.table(ctx, "What each service holds, read from all their tables at once:", acts); err != nil {
		return err
	}
	fmt.Fprintf(tale.out, `
Look further (docs/patterns/shared-database.md):
  psql %[1]s -c 'SELECT * FROM %[2]s.saga_overview'
  psql %[1]s -c 'SELECT * FROM %[2]s.outbox_overview'
  psql %[1]s -c 'SELECT * FROM %[3]s.booking'
  psql %[1]s -c 'SELECT * FROM %[4]s.ledger'
`, quote(env.stack.Reservation), schemas[0], schemas[1], schemas[2])
	return tale.compareHeld(ctx, acts)
}

// compareHeld: a room is held and money kept for the guest whose saga completed, and for no other.
func (s *story) compareHeld(ctx context.Context, acts string) error {
	rows, err := s.conn.Query(ctx, acts, s.keys)
	if err != nil {
		return fmt.Errorf("read what the services hold: %w", err)
	}
	type act struct {
		Guest, Status, Booking string
		Paid                   int64
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[act])
	if err != nil {
		return fmt.Errorf("read what the services hold: %w", err)
	}
	if len(all) != len(s.keys) {
		return fmt.Errorf("%d of %d reservations are there", len(all), len(s.keys))
	}
	var wrong []error
	for _, a := range all {
		succeeded := a.Status == "SUCCEED"
		if succeeded != (a.Booking == "ACTIVE") || succeeded != (a.Paid > 0) {
			wrong = append(wrong, fmt.Errorf("%s: reservation %s, booking %q, paid %d", a.Guest, a.Status, a.Booking, a.Paid))
		}
	}
	return errors.Join(wrong...)
}
