package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"go.example/saga/internal/dev/services"
	"go.example/saga/internal/dev/stack"
)

const (
	sagaTime = 60 * time.Second // for all three to end
	tellTime = 100 * time.Millisecond
)

// run starts the daemons, tells the story and stops them.
func (env environment) run(ctx context.Context, out io.Writer) error {
	return env.during(ctx, out, func(tale *story, daemons *stack.Stack) error {
		everyone, server := guests(), daemons.URL()
		if err := placeAll(ctx, tale, server, everyone); err != nil {
			return err
		}
		fmt.Fprint(out, recorded)
		if err := tale.follow(ctx, server, everyone); err != nil {
			return err
		}
		if err := tale.tables(ctx); err != nil {
			return err
		}
		if env.stack.Form == stack.Apart {
			fmt.Fprint(out, further(env))
		} else if err := env.shared(ctx, tale, daemons); err != nil {
			return err
		}
		if err := tale.compare(ctx, server, everyone); err != nil {
			return err
		}
		fmt.Fprintln(out, "\nAs promised: one COMPLETED, one compensated after a declined card, one aborted because the room is taken.")
		return nil
	})
}

// recorded stands above the timeline.
const recorded = "\nWhat the orchestrator records, as it happens:\n"

// during starts the daemons, has tell speak of the reservation's database and of them,
// and stops them.
func (env environment) during(ctx context.Context, out io.Writer, tell func(tale *story, daemons *stack.Stack) error) (err error) {
	report := reporter(out)
	defer func() { err = errors.Join(err, env.giveBack(ctx, report)) }()
	report("starting %s (logs in %s)", strings.Join(env.stack.Form.Programs(), ", "), env.stack.LogDir)
	daemons, err := stack.Start(ctx, env.stack)
	if err != nil {
		return env.notStarted(err)
	}
	defer func() {
		report("stopping the daemons")
		err = errors.Join(err, daemons.Stop())
	}()
	conn, err := pgx.Connect(ctx, env.stack.Reservation)
	if err != nil {
		return fmt.Errorf("connect to the reservation service's database: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()

	tale := &story{out: out, conn: conn, schema: env.stack.Form.Schema("reservation"), names: map[string]string{}, seen: map[string]int64{}}
	return tell(tale, daemons)
}

// notStarted adds what helps when another version of the project was tried before.
func (env environment) notStarted(err error) error {
	return fmt.Errorf("%w\nIf %s or %s are left from another version, remove them with: make drop", err,
		strings.Join(env.place.Databases, ", "), env.place.Vhost)
}

func reporter(out io.Writer) services.Report {
	return func(format string, args ...any) { fmt.Fprintf(out, "==> "+format+"\n", args...) }
}

func placeAll(ctx context.Context, tale *story, server string, everyone []*guest) error {
	var from time.Time
	if err := tale.conn.QueryRow(ctx, tale.in(nextFreeDaySQL)).Scan(&from); err != nil {
		return fmt.Errorf("find a free day: %w", err)
	}
	fmt.Fprintf(tale.out, "\nReservations of hotel 1, from %s:\n", from.Format(time.DateOnly))
	for _, g := range everyone {
		if err := g.place(ctx, server, from); err != nil {
			return err
		}
		tale.names[g.id] = g.name
		tale.keys = append(tale.keys, g.id)
		fmt.Fprintf(tale.out, "  %-4s %s: 202 Accepted, reservation %s\n", g.name, g.story, g.id)
	}
	return nil
}

// follow tells the news until every reservation has left PENDING and every message
// is known to be published.
func (s *story) follow(ctx context.Context, server string, everyone []*guest) error {
	ctx, cancel := context.WithTimeout(ctx, sagaTime)
	defer cancel()
	tick := time.NewTicker(tellTime)
	defer tick.Stop()
	for {
		if err := s.tellNews(ctx); err != nil {
			return err
		}
		open, err := pending(ctx, server, everyone)
		if err != nil {
			return err
		}
		unpublished := 0
		if err := s.conn.QueryRow(ctx, s.in(pendingSQL)).Scan(&unpublished); err != nil {
			return fmt.Errorf("read the outbox's lag: %w", err)
		}
		if open == 0 && unpublished == 0 {
			return s.tellNews(ctx)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d reservations are still PENDING and %d messages unpublished after %v: see the logs", open, unpublished, sagaTime)
		case <-tick.C:
		}
	}
}

func pending(ctx context.Context, server string, everyone []*guest) (int, error) {
	open := 0
	for _, g := range everyone {
		got, err := g.ask(ctx, server)
		if err != nil {
			return 0, err
		}
		if got.Status == "PENDING" {
			open++
		}
	}
	return open, nil
}

func (s *story) tables(ctx context.Context) error {
	for _, t := range []struct{ title, query string }{
		{"Reservations (table reservation):", reservationsSQL},
		{"Sagas (view saga_overview; ✓ succeeded, ✗ refused, ↶ compensated, · never sent):", sagasSQL},
		{"Outbox of the reservation's database (view outbox_overview):", outboxSQL},
	} {
		if err := s.table(ctx, t.title, t.query); err != nil {
			return err
		}
	}
	return nil
}

// compare compares the outcomes with what the demo promises.
func (s *story) compare(ctx context.Context, server string, everyone []*guest) error {
	var wrong []string
	for _, g := range everyone {
		got, err := g.ask(ctx, server)
		if err != nil {
			return err
		}
		var saga string
		if err := s.conn.QueryRow(ctx, s.in(sagaStatusSQL), g.id).Scan(&saga); err != nil {
			return fmt.Errorf("the saga of %s: %w", g.name, err)
		}
		if got.Status != g.status || saga != g.saga {
			wrong = append(wrong, fmt.Sprintf("%s: reservation %s, saga %s; expected %s and %s", g.name, got.Status, saga, g.status, g.saga))
		}
	}
	if len(wrong) > 0 {
		return errors.New("not the expected outcomes:\n" + strings.Join(wrong, "\n"))
	}
	return nil
}

// further says how to look on with SQL.
func further(env environment) string {
	return fmt.Sprintf(`
Look further (the queries an operator wants first are in sql/inspect):
  psql %[1]s -c 'SELECT * FROM saga_overview'
  psql %[1]s -c 'SELECT * FROM outbox_overview'
  psql %[1]s -c 'SELECT seq, elapsed_ms, sentence FROM saga_timeline ORDER BY saga_id, seq'
  psql %[2]s -c 'SELECT * FROM booking'
  psql %[3]s -c 'SELECT * FROM ledger'
Keep the daemons running to try it yourself: make run
`, quote(env.stack.Reservation), quote(env.stack.Hotel), quote(env.stack.Payment))
}

func quote(url string) string { return "'" + strings.ReplaceAll(url, "'", `'\''`) + "'" }
