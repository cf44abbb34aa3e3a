package demo

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"go.example/saga/internal/dev/stack"
)

var (
	//go:embed watched.sql
	watchedSQL string
	//go:embed watched_table.sql
	watchedTableSQL string
)

const (
	// watchTime is how long all may take to end, and watchTick between two looks: all is over
	// within a few tenths of a second.
	watchTime = 60 * time.Second
	watchTick = 10 * time.Millisecond
)

// choreography is the demo in which no orchestrator drives anything: the services react to
// one another's facts, and a watcher says where each reservation stands.
func choreography(ctx context.Context, env environment, out io.Writer) error {
	env.stack.Choreographed("")
	return env.during(ctx, out, func(tale *story, daemons *stack.Stack) error {
		everyone, server := guests(), daemons.URL()
		fmt.Fprint(out, `
Nobody drives these. Each service publishes what it has done, and reacts to what it hears:
  reservation.placed → hotel books, payment charges
  room.refused       → payment gives back, the reservation fails
  payment.declined   → hotel releases, the reservation fails
  room.booked and payment.captured → the reservation is confirmed
`)
		if err := placeAll(ctx, tale, server, everyone); err != nil {
			return err
		}
		fmt.Fprintf(out, "\nWhat the watcher shows, as it hears of it:\n")
		if err := tale.watch(ctx, everyone); err != nil {
			return err
		}
		for _, t := range []struct{ title, query string }{
			{"Reservations (table reservation):", reservationsSQL},
			{"What was heard of them (view saga_overview; ✓ heard, ✗ says no, ↶ undone, · not expected any more):", watchedTableSQL},
		} {
			if err := tale.table(ctx, t.title, t.query); err != nil {
				return err
			}
		}
		fmt.Fprintf(out, `
Look further:
  psql %[1]s -c 'SELECT * FROM saga_overview'
  psql %[1]s -c 'SELECT * FROM saga_stuck'
  psql %[2]s -c 'SELECT * FROM booking'
  psql %[3]s -c 'SELECT * FROM ledger'
docs/patterns/choreography.md says when this is the better way, and what it gives up.
`, quote(env.stack.Reservation), quote(env.stack.Hotel), quote(env.stack.Payment))
		return tale.checkWatched(ctx, server, everyone)
	})
}

// watched is what the watcher shows of a reservation.
type watched struct {
	BusinessKey, Status, Steps, Reason, WaitsFor string
}

func (s *story) watched(ctx context.Context) ([]watched, error) {
	rows, _ := s.conn.Query(ctx, watchedSQL, s.keys)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[watched])
	if err != nil {
		return nil, fmt.Errorf("read the overview: %w", err)
	}
	return all, nil
}

// watch prints each change of what the watcher shows, until all have ended.
func (s *story) watch(ctx context.Context, everyone []*guest) error {
	ctx, cancel := context.WithTimeout(ctx, watchTime)
	defer cancel()
	tick := time.NewTicker(watchTick)
	defer tick.Stop()
	began, shown := time.Now(), map[string]string{}
	for {
		all, err := s.watched(ctx)
		if err != nil {
			return err
		}
		ended := 0
		for _, w := range all {
			line := fmt.Sprintf("%-9s %s", w.Status, w.Steps)
			if shown[w.BusinessKey] != line {
				shown[w.BusinessKey] = line
				fmt.Fprintf(s.out, "  %-4s +%6d ms  %s\n", s.names[w.BusinessKey], time.Since(began).Milliseconds(), line)
			}
			if w.WaitsFor == "" {
				ended++
			}
		}
		if ended == len(everyone) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d reservations have ended after %v: see saga_stuck and the logs", ended, len(everyone), watchTime)
		case <-tick.C:
		}
	}
}

// checkWatched compares the outcomes with what the demo promises.
func (s *story) checkWatched(ctx context.Context, server string, everyone []*guest) error {
	all, err := s.watched(ctx)
	if err != nil {
		return err
	}
	status := map[string]string{}
	for _, w := range all {
		status[w.BusinessKey] = w.Status
	}
	var wrong []string
	for _, g := range everyone {
		got, err := g.settled(ctx, server)
		if err != nil {
			return err
		}
		if got.Status != g.status || status[g.id] != g.saga {
			wrong = append(wrong, fmt.Sprintf("%s: reservation %s, watcher %s; expected %s and %s", g.name, got.Status, status[g.id], g.status, g.saga))
		}
	}
	if len(wrong) > 0 {
		return errors.New("not the expected outcomes:\n" + strings.Join(wrong, "\n"))
	}
	fmt.Fprintln(s.out, "\nAs promised, and nobody drove it: one COMPLETED, one undone after a declined card, one undone because the room is taken.")
	return nil
}

// settled asks until the reservation has left PENDING: the service may hear of a no after
// the watcher has.
func (g *guest) settled(ctx context.Context, server string) (got outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, watchTime)
	defer cancel()
	tick := time.NewTicker(tellTime)
	defer tick.Stop()
	for {
		if got, err = g.ask(ctx, server); err != nil || got.Status != "PENDING" {
			return got, err
		}
		select {
		case <-ctx.Done():
			return got, nil
		case <-tick.C:
		}
	}
}
