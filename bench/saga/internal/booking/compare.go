package booking

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Compare says whether the three databases agree on orders many orders: each one has
// ended, as its card says, with everything or with nothing in effect, and nothing else
// is there. Where sagas carried them out, their status says the same. The error names
// the first saga that is not as it should be.
func Compare(ctx context.Context, d Databases, orders int, sagas bool) error {
	c := comparison{}
	for _, read := range []struct {
		url, query string
		row        func(pgx.CollectableRow) (struct{}, error)
	}{
		{d.Reservation, reservationsSQL, c.reservation}, {d.Hotel, bookingsSQL, c.booking}, {d.Payment, ledgerSQL, c.payment},
	} {
		err := with(ctx, read.url, func(conn *pgx.Conn) error {
			rows, _ := conn.Query(ctx, read.query)
			_, err := pgx.CollectRows(rows, read.row)
			return err
		})
		if err != nil {
			return fmt.Errorf("compare the databases: %w", err)
		}
	}
	return c.judge(orders, sagas)
}

const (
	reservationsSQL = `
		SELECT r.saga_id, r.status, r.payment_due, r.card_last4 = '9999', coalesce(s.status, '')
		FROM public.reservation r LEFT JOIN public.saga s ON s.id = r.saga_id
		ORDER BY r.id`
	bookingsSQL = `SELECT saga_id, state FROM public.booking`
	ledgerSQL   = `SELECT saga_id, net FROM public.ledger_net`
)

// traces are what one saga left in the three databases.
type traces struct {
	reservation, saga, booking string
	due, paid                  int64
	declined                   bool
}

type comparison map[uuid.UUID]*traces

func (c comparison) of(id uuid.UUID) *traces {
	if c[id] == nil {
		c[id] = &traces{}
	}
	return c[id]
}

func (c comparison) reservation(row pgx.CollectableRow) (none struct{}, err error) {
	var id uuid.UUID
	var t traces
	err = row.Scan(&id, &t.reservation, &t.due, &t.declined, &t.saga)
	c[id] = &t
	return none, err
}

func (c comparison) booking(row pgx.CollectableRow) (none struct{}, err error) {
	var id uuid.UUID
	var state string
	err = row.Scan(&id, &state)
	c.of(id).booking = state
	return none, err
}

func (c comparison) payment(row pgx.CollectableRow) (none struct{}, err error) {
	var id uuid.UUID
	var net int64
	err = row.Scan(&id, &net)
	c.of(id).paid = net
	return none, err
}

func (c comparison) judge(orders int, sagas bool) error {
	var due, paid int64
	placed := 0
	for id, t := range c {
		if err := t.judge(sagas); err != nil {
			return fmt.Errorf("saga %s is inconsistent: %w (%+v)", id, err, *t)
		}
		placed++
		paid += t.paid
		if !t.declined {
			due += t.due
		}
	}
	if placed != orders || paid != due {
		return fmt.Errorf("the numbers do not add up: %d reservations of %d, %d paid of %d", placed, orders, paid, due)
	}
	return nil
}

func (t traces) judge(sagas bool) error {
	want := traces{reservation: "SUCCEED", booking: "ACTIVE", due: t.due, paid: t.due}
	if sagas {
		want.saga = "COMPLETED"
	}
	if t.declined {
		want = traces{reservation: "FAILED", booking: "RELEASED", due: t.due, declined: true}
		if sagas {
			want.saga = "ABORTED"
		}
	}
	switch {
	case t.reservation == "":
		return errors.New("no reservation belongs to it")
	case t.reservation != want.reservation:
		return fmt.Errorf("its reservation is %s, want %s", t.reservation, want.reservation)
	case t.saga != want.saga:
		return fmt.Errorf("it is %q, want %q", t.saga, want.saga)
	case t.booking != want.booking:
		return fmt.Errorf("its booking is %q, want %s", t.booking, want.booking)
	case t.paid != want.paid:
		return fmt.Errorf("%d was paid in the end, want %d", t.paid, want.paid)
	}
	return nil
}
