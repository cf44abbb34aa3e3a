package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/internal/cli"
	"go.example/saga/pkg/saga"
)

// effects are what a saga has left in the databases.
type effects struct {
	room  string // the state of the hotel's booking
	paid  int64
	extra string // the state of the extra step
}

// check compares the ends, and what is in the tables, with what is expected.
func (p *performance) check(ctx context.Context) error {
	var lines [][]string
	var wrong []string
	for _, a := range p.acts {
		var status saga.Status
		if err := p.tale.conn.QueryRow(ctx, sagaStatusSQL, a.key).Scan(&status); err != nil {
			return fmt.Errorf("the saga of %s: %w", a.name, err)
		}
		got, err := p.effects(ctx, a.id)
		if err != nil {
			return err
		}
		lines = append(lines, []string{a.name, string(status), got.room, fmt.Sprint(got.paid), got.extra})
		if status != a.status || got != a.want {
			wrong = append(wrong, fmt.Sprintf("%s: %s %+v, expected %s %+v", a.name, status, got, a.status, a.want))
		}
	}
	header := []string{"guest", "saga", "booking", "paid"}
	if p.extra != nil {
		header = append(header, p.extra.step)
	}
	fmt.Fprintf(p.tale.out, "\nWhat the services hold now, in the tables of their own databases:\n")
	if err := cli.Table(p.tale.out, header, lines); err != nil {
		return err
	}
	if len(wrong) > 0 {
		return errors.New("not the expected outcomes:\n" + strings.Join(wrong, "\n"))
	}
	return nil
}

func (p *performance) effects(ctx context.Context, id saga.ID) (e effects, err error) {
	one := func(conn *pgx.Conn, query string, into any) {
		if err == nil {
			err = conn.QueryRow(ctx, query, uuid.UUID(id)).Scan(into)
		}
	}
	one(p.hotel, `SELECT coalesce((SELECT state FROM public.booking WHERE saga_id = $1), '')`, &e.room)
	one(p.payment, `SELECT coalesce((SELECT net FROM public.ledger_net WHERE saga_id = $1), 0)`, &e.paid)
	if p.extra != nil {
		one(p.tale.conn, `SELECT coalesce((SELECT state FROM public.demo_extra WHERE saga_id = $1), '')`, &e.extra)
	}
	if err != nil {
		return effects{}, fmt.Errorf("what the saga %s has left: %w", uuid.UUID(id), err)
	}
	return e, nil
}
