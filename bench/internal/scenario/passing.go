package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"go.example/saga/bench/internal/contender"
	"go.example/saga/bench/internal/lab"
)

// ahead is how many messages the writer may be ahead of the queue.
const ahead = 20_000

// errLate ends a wait in vain.
var errLate = errors.New("waited in vain")

// passing is a relay at work, and a writer before it.
type passing struct {
	job     contender.Job
	reader  *lab.Reader
	relay   *lab.Process
	conn    *pgx.Conn
	written int
	largest float64 // size seen, in bytes
}

func (e Env) pass(ctx context.Context, queue *lab.Queue, partition int) (*passing, error) {
	job, err := e.job(ctx, queue, partitions*partition)
	if err != nil {
		return nil, err
	}
	if err := contender.Migrate(ctx, e.Relay, job); err != nil {
		return nil, err
	}
	command, err := contender.NewRelay(e.Relay, "RELAY_RETENTION=1s", fmt.Sprintf("RELAY_PARTITION_ROWS=%d", partition)).Command(job)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, job.Database)
	if err != nil {
		return nil, fmt.Errorf("connect to the outbox: %w", err)
	}
	if err := narrow(ctx, conn, partition); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	relay, err := e.Lab.Start(command)
	if err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	reader, err := queue.Read()
	if err != nil {
		return nil, errors.Join(err, relay.Stop(), conn.Close(ctx))
	}
	return &passing{job: job, reader: reader, relay: relay, conn: conn}, nil
}

// narrow makes the first partitions anew: those of `relay migrate` are of the default
// width, more than pass here.
func narrow(ctx context.Context, conn *pgx.Conn, width int) error {
	_, err := conn.Exec(ctx, `DO $$ DECLARE p regclass; BEGIN
		FOR p IN SELECT partition FROM public.outbox_partitions LOOP EXECUTE format('DROP TABLE %s', p); END LOOP; END $$`)
	if err == nil {
		_, err = conn.Exec(ctx, `SELECT public.outbox_partitions_ahead($1, 2)`, width)
	}
	if err != nil {
		return fmt.Errorf("make narrow partitions: %w", err)
	}
	return nil
}

func (p *passing) stop() error {
	return errors.Join(p.relay.Stop(), p.reader.Close(), p.conn.Close(context.Background()))
}

// rows writes so many more rows and waits until all have arrived.
func (p *passing) rows(ctx context.Context, count int) error {
	const chunk = 5000
	end := p.written + count
	for p.written < end {
		next := min(p.written+chunk, end)
		if err := contender.FillOutbox(ctx, p.job, p.written, next); err != nil {
			return err
		}
		p.written = next
		if err := p.arrived(ctx, p.written-ahead); err != nil {
			return err
		}
		if _, err := p.size(ctx); err != nil {
			return err
		}
	}
	return p.arrived(ctx, end)
}

// fillInUse writes on until so many rows are in the partition in use: more than a whole one,
// if it has more. How the partitions lie depends on how fast the rows passed: ids leap over
// those of the reserve when that was used.
func (p *passing) fillInUse(ctx context.Context, rows int) error {
	var more int
	err := p.until(ctx, func() (bool, error) {
		var first, last, drawn int64
		err := p.conn.QueryRow(ctx, `SELECT first_id, last_id, public.outbox_last_id() FROM public.outbox_partitions
			WHERE public.outbox_last_id() BETWEEN first_id AND last_id`).Scan(&first, &last, &drawn)
		if err != nil {
			return false, fmt.Errorf("look at the partition in use: %w", err)
		}
		more = int(first - 1 + int64(rows) - drawn)
		if more < 0 {
			more += int(last - first + 1)
		}
		return last-first < 1_000_000, nil // the reserve is left as soon as there are others
	})
	if err != nil {
		return err
	}
	return p.rows(ctx, more)
}

// arrived waits until so many messages have come.
func (p *passing) arrived(ctx context.Context, count int) error {
	return p.until(ctx, func() (bool, error) {
		now, err := p.reader.Count()
		return now >= count, err
	})
}

// shrunk waits until the table is down to a size, and returns what it has then or
// when the time is up.
func (p *passing) shrunk(ctx context.Context, to float64) (size float64, err error) {
	err = p.until(ctx, func() (bool, error) {
		var err error
		size, err = p.size(ctx)
		return size <= to, err
	})
	if errors.Is(err, errLate) {
		err = nil // the size tells
	}
	return size, err
}

// until asks again and again.
func (p *passing) until(ctx context.Context, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, retentionTime, errLate)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		yes, err := done()
		if yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w\n%s", context.Cause(ctx), p.relay.Tail())
		case <-p.relay.Exited():
			return p.relay.Ended()
		case <-tick.C:
		}
	}
}

// size of the outbox with all its partitions and their indexes, in bytes. A table
// that has no partitions is not in the tree of them.
func (p *passing) size(ctx context.Context) (float64, error) {
	var size int64
	err := p.conn.QueryRow(ctx, `
		SELECT coalesce(sum(pg_total_relation_size(t.relid)), pg_total_relation_size('public.outbox'))::bigint
		FROM pg_partition_tree('public.outbox') AS t`).Scan(&size)
	if err != nil {
		return 0, fmt.Errorf("measure the outbox: %w", err)
	}
	p.largest = max(p.largest, float64(size))
	return float64(size), nil
}
