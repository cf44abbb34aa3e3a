package fault

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/outbox/outboxpg"
)

// logReader reads a log as a relay does, without a broker: what it reads counts as published.
type logReader struct {
	*testing.T
	db     *pgxpool.Pool
	log    *outboxpg.Log
	port   atomic.Int32 // where new connections lead to
	tenure *outboxpg.Tenure
	from   outboxpg.Position
}

// reader reads the log of a cluster's database.
func (c *cluster) reader(database string) *logReader {
	c.Helper()
	r := &logReader{T: c.T}
	r.turnTo(c)
	config, err := pgxpool.ParseConfig(c.url(database))
	require.NoError(c, err)
	config.BeforeConnect = func(_ context.Context, conn *pgx.ConnConfig) error {
		conn.Port = uint16(r.port.Load()) // #nosec G115 -- a port
		conn.Fallbacks = nil
		return nil
	}
	r.db, err = pgxpool.NewWithConfig(c.Context(), config)
	require.NoError(c, err)
	c.Cleanup(r.db.Close)
	r.log = outboxpg.New(r.db, "")
	return r
}

// turnTo leads to another server, as a pooler does whose clients stay connected.
func (r *logReader) turnTo(c *cluster) {
	port, err := strconv.Atoi(c.port)
	require.NoError(r, err)
	r.port.Store(int32(port)) // #nosec G115 -- a port
	if r.db != nil {
		r.db.Reset()
	}
}

// acquire takes the lease, and makes a restored log whole before.
func (r *logReader) acquire() {
	r.Helper()
	var err error
	r.tenure, err = r.log.Acquire(r.Context(), 0, "reader", time.Minute)
	if err != nil {
		require.ErrorIs(r, err, outboxpg.ErrForeign)
		_, err = r.log.Rebase(r.Context())
		require.NoError(r, err)
		r.tenure, err = r.log.Acquire(r.Context(), 0, "reader", time.Minute)
		require.NoError(r, err)
	}
	r.from = r.tenure.Position()
}

// drain reads all there is, saves how far it came, and returns the rows' types.
func (r *logReader) drain() (types []string) {
	r.Helper()
	for {
		page, err := r.tenure.Read(r.Context(), r.from, 1000)
		require.NoError(r, err)
		r.from = page.End()
		if len(page.Records) == 0 {
			break
		}
		for _, record := range page.Records {
			types = append(types, record.Type)
		}
	}
	r.save()
	return types
}

func (r *logReader) save() {
	r.Helper()
	_, err := r.tenure.Save(r.Context(), outboxpg.Progress{Position: r.from})
	require.NoError(r, err)
}

// requireMoved: neither reading nor saving is done by the position in memory.
func (r *logReader) requireMoved() {
	r.Helper()
	_, err := r.tenure.Read(r.Context(), r.from, 1000)
	require.ErrorIs(r, err, outboxpg.ErrMoved)
	_, err = r.tenure.Save(r.Context(), outboxpg.Progress{Position: r.from})
	if !errors.Is(err, outboxpg.ErrLost) { // an older state has an older epoch, too
		require.ErrorIs(r, err, outboxpg.ErrMoved)
	}
}

// append inserts a row of each type, one transaction each.
func (c *cluster) append(database string, types ...string) {
	c.Helper()
	for _, name := range types {
		c.exec(database, appended(name))
	}
}

func appended(name string) string {
	return `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		VALUES ('thing', 'k', '` + name + `', '', 'queue', '{}')`
}

// burn uses up numbers of transactions.
func (c *cluster) burn(numbers int) {
	c.Helper()
	c.exec("postgres", `DO $$ BEGIN FOR i IN 1..`+strconv.Itoa(numbers)+` LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$`)
}

// named are the types prefix 1 to prefix n.
func named(prefix string, n int) (all []string) {
	for i := range n {
		all = append(all, prefix+strconv.Itoa(i+1))
	}
	return all
}
