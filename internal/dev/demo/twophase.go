package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/jackc/pgx/v5"

	"go.example/saga/internal/dev/services"
	"go.example/saga/internal/dev/stack"
	"go.example/saga/internal/dev/twophase"
)

// CoordinateCommand is the argument that has this program do [twophase.Coordinate].
const CoordinateCommand = "coordinate"

// coordinatorAway is how long nobody comes after a coordinator was killed.
const coordinatorAway = 3 * time.Second

// twoPhase kills the coordinator of a two-phase commit, and then the orchestrator of a saga
// that does the same.
func (env environment) twoPhase(ctx context.Context, out io.Writer) (err error) {
	report := reporter(out)
	defer func() { err = errors.Join(err, env.giveBack(ctx, report)) }()
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program for the coordinator's process: %w", err)
	}
	server, stop, err := twophase.Find(ctx, env.stack.Reservation, report)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	all, err := twophase.Show(ctx, twophase.Settings{
		Server: server, Away: coordinatorAway,
		Coordinator: func(args ...string) *exec.Cmd {
			return exec.Command(program, append([]string{CoordinateCommand}, args...)...)
		},
	}, out)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nThe same act as a saga:\n")
	saga, err := env.killedOrchestrator(ctx, out)
	if err != nil {
		return err
	}
	return beside(out, all[0].Waits, saga)
}

// killedOrchestrator kills the orchestrator while the hotel is at work, and measures what
// others wait for until it is started again.
func (env environment) killedOrchestrator(ctx context.Context, out io.Writer) (waits []twophase.Wait, err error) {
	report := reporter(out)
	report("starting relay, orchestrator, hotel, payment and reservation (logs in %s)", env.stack.LogDir)
	daemons, err := stack.Start(ctx, env.stack)
	if err != nil {
		return nil, env.notStarted(err)
	}
	defer func() { err = errors.Join(err, daemons.Stop()) }()
	conn, err := pgx.Connect(ctx, env.stack.Reservation)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", services.ReservationDatabase, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	hotel, err := pgx.Connect(ctx, env.stack.Hotel)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", services.HotelDatabase, err)
	}
	defer func() { _ = hotel.Close(context.WithoutCancel(ctx)) }()

	ada := guests()[0]
	tale := &story{out: out, conn: conn, names: map[string]string{}, seen: map[string]int64{}}
	if err := ada.killedMeanwhile(ctx, tale, hotel, daemons); err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "  the orchestrator is killed with SIGKILL while the hotel is at work; nobody starts it for %v. Meanwhile, for each row:\n", coordinatorAway)
	back := time.After(coordinatorAway)
	if waits, err = twophase.Measure(ctx, env.rowsOf(ada)); err != nil {
		return nil, err
	}
	if err := twophase.Table(out, waits); err != nil {
		return nil, err
	}
	fmt.Fprintln(out, "  (the payment was not asked yet, and has no row of it)")
	select {
	case <-back:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	began := time.Now()
	if err := daemons.Restart(ctx, "orchestrator"); err != nil {
		return nil, err
	}
	if err := tale.follow(ctx, daemons.URL(), []*guest{ada}); err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "  recovery: the orchestrator is started, and the saga has ended %s later\n", twophase.Round(time.Since(began)))
	return waits, tale.compare(ctx, daemons.URL(), []*guest{ada})
}

// killedMeanwhile places the reservation, and kills the orchestrator after the hotel was asked
// and before it answers: its work waits for a lock until then. When it returns the room is booked.
func (g *guest) killedMeanwhile(ctx context.Context, tale *story, hotel *pgx.Conn, daemons *stack.Stack) error {
	lock, err := hotel.Begin(ctx)
	if err != nil {
		return fmt.Errorf("lock the hotel's bookings: %w", err)
	}
	defer func() { _ = lock.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := lock.Exec(ctx, `LOCK TABLE public.booking IN SHARE MODE`); err != nil {
		return fmt.Errorf("lock the hotel's bookings: %w", err)
	}
	if err := placeAll(ctx, tale, daemons.URL(), []*guest{g}); err != nil {
		return err
	}
	fmt.Fprint(tale.out, recorded)
	err = until(ctx, "the hotel is at work", lock, `SELECT EXISTS (SELECT FROM pg_catalog.pg_locks
		WHERE database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
		AND relation = 'public.booking'::regclass AND NOT granted)`)
	if err == nil {
		err = tale.tellNews(ctx)
	}
	if err == nil {
		err = daemons.Kill("orchestrator")
	}
	if err == nil {
		err = lock.Rollback(ctx)
	}
	if err != nil {
		return err
	}
	sagaID := ""
	if err := tale.conn.QueryRow(ctx, `SELECT saga_id::text FROM public.reservation WHERE id::text = $1`, g.id).Scan(&sagaID); err != nil {
		return fmt.Errorf("the saga of %s: %w", g.name, err)
	}
	g.sagaID = sagaID
	return until(ctx, "the room is booked", hotel, `SELECT EXISTS (SELECT FROM public.booking WHERE saga_id::text = $1)`, sagaID)
}

// rowsOf are those that the guest's reservation has.
func (env environment) rowsOf(g *guest) []twophase.Row {
	row := func(name, url, table, column, key, id string) twophase.Row {
		of := fmt.Sprintf(` FROM public.%s WHERE %s = '%s'`, table, key, id)
		return twophase.Row{
			Name: name, URL: url, Read: `SELECT ` + column + `::text` + of, Lock: `SELECT` + of + ` FOR UPDATE`,
			Write: fmt.Sprintf(`UPDATE public.%s SET %s = %[2]s WHERE %s = '%s'`, table, column, key, id),
		}
	}
	return []twophase.Row{
		row("reservation", env.stack.Reservation, "reservation", "status", "id", g.id),
		row("booking of room 1", env.stack.Hotel, "booking", "state", "saga_id", g.sagaID),
	}
}

// beside prints and compares the longest waits.
func beside(out io.Writer, twoPhase, saga []twophase.Wait) error {
	longest := func(waits []twophase.Wait) (most time.Duration) {
		for _, w := range waits {
			most = max(most, w.Lock, w.Write)
		}
		return most
	}
	locked, free := longest(twoPhase), longest(saga)
	fmt.Fprintf(out, `
Who needs a row of the act waits, while its coordinator is dead:
  two-phase commit  %s, all the time that nobody comes; for ever where nobody does
  saga              %s; its rows say PENDING and ACTIVE, which others see: that is what it gives up
`, twophase.Round(locked), twophase.Round(free))
	if locked < coordinatorAway/2 || free > coordinatorAway/2 {
		return errors.New("not as promised: two-phase commit should have waited until the recovery, and the saga not")
	}
	return nil
}

// until waits until the query says true.
func until(ctx context.Context, what string, conn interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, query string, args ...any,
) error {
	ctx, cancel := context.WithTimeout(ctx, sagaTime)
	defer cancel()
	tick := time.NewTicker(tellTime)
	defer tick.Stop()
	for {
		var yes bool
		err := conn.QueryRow(ctx, query, args...).Scan(&yes)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("wait for at most %v until %s: %w; see the logs", sagaTime, what, ctx.Err())
		case err != nil:
			return fmt.Errorf("wait until %s: %w", what, err)
		case yes:
			return nil
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}
