package participant_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/saga"
)

// seedSagas makes old sagas, with what their handlers did; of one in six nothing is known.
const seedSagas = `
	WITH old AS MATERIALIZED (
		SELECT (lpad(to_hex((extract(epoch FROM now() - interval '100 days') * 1000)::bigint), 12, '0') || '7000' || '8000' || lpad(to_hex(n), 12, '0'))::uuid AS id,
		       (ARRAY['succeeded', 'failed', 'cancelled', 'confirmed', 'compensated'])[n % 6] AS state
		FROM generate_series(1, $1::int) AS n
	), known AS (
		INSERT INTO saga_barrier (saga_id, step, state, reply, entered_at, ended_at)
		SELECT id, 'work', state, CASE WHEN state IN ('failed', 'cancelled') THEN '{"type": "urn:test:no", "title": "No"}'::jsonb ELSE '{}' END,
		       now() - interval '100 days', CASE WHEN state IN ('confirmed', 'compensated') THEN now() - interval '99 days' END
		FROM old WHERE state IS NOT NULL
	)
	INSERT INTO effect (saga, op)
	SELECT id, op FROM old CROSS JOIN unnest(CASE state WHEN 'succeeded' THEN '{REQUEST}'::text[] WHEN 'confirmed' THEN '{REQUEST,CONFIRM}'
		WHEN 'compensated' THEN '{REQUEST,CANCEL}' END) AS op`

// wrongAnswers are sagas whose answers and effects cannot both be true.
const wrongAnswers = `
	WITH deeds AS MATERIALIZED (
		SELECT saga, count(*) FILTER (WHERE op = 'REQUEST') AS requests, count(*) FILTER (WHERE op = 'CONFIRM') AS confirms,
		       count(*) FILTER (WHERE op = 'CANCEL') AS cancels
		FROM effect GROUP BY saga
	), said AS MATERIALIZED (
		SELECT DISTINCT aggregate_id::uuid AS saga, headers ->> 'cloudEvents_sagaop' AS op, headers ->> 'cloudEvents_sagaoutcome' AS outcome,
		       payload ->> 'type' = 'urn:problem:saga:forgotten' AS forgotten
		FROM outbox
	)
	SELECT 'done twice, or undone and made last' FROM deeds WHERE requests > 1 OR confirms > 1 OR cancels > 1 OR confirms + cancels > requests
	UNION ALL SELECT concat_ws(' ', op, outcome, 'of', requests, confirms, cancels) FROM said LEFT JOIN deeds USING (saga)
	WHERE CASE outcome WHEN 'compensated' THEN coalesce(requests, 0) <> coalesce(cancels, 0) OR op <> 'CANCEL'
	                   WHEN 'confirmed' THEN coalesce(confirms, 0) <> 1
	                   WHEN 'succeeded' THEN coalesce(requests, 0) <> 1
	                   WHEN 'failed' THEN op = 'REQUEST' AND coalesce(requests, 0) <> 0 END
	UNION ALL SELECT 'forgotten, and above the watermark' FROM said, saga_barrier_watermark AS w WHERE forgotten AND saga > w.forgotten_to`

// The barrier is cleaned while commands of every kind come for the same old sagas, at two
// instances. Nothing is done twice, and no answer is untrue. BARRIER_SAGAS is how many.
func TestForgettingUnderLoad(t *testing.T) {
	sagas := 4000
	if text := os.Getenv("BARRIER_SAGAS"); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err)
		sagas = n
	}
	b := setUp(t)
	b.Log = nil
	p, err := participant.New(b.Config)
	require.NoError(t, err)
	_, err = b.DB.Exec(t.Context(), seedSagas, sagas)
	require.NoError(t, err)
	var first uuid.UUID
	require.NoError(t, b.DB.QueryRow(t.Context(), `SELECT saga_id FROM saga_barrier ORDER BY saga_id LIMIT 1`).Scan(&first))
	nth := func(n int) saga.ID {
		id := saga.ID(first)
		for i := 15; i > 9; i-- {
			id[i], n = byte(n), n>>8
		}
		return id
	}
	var front, batches atomic.Int64 // how far the sagas are forgotten, and what was asked
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for range 3 {
		load.Go(func() {
			for ctx.Err() == nil {
				var ds []inbox.Delivery
				for range 1 + rand.IntN(10) {
					n := rand.IntN(sagas)
					if rand.IntN(2) == 0 { // near the row that is deleted now
						n = min(max(int(front.Load())+rand.IntN(2500)-500, 0), sagas-1)
					}
					op := []saga.Operation{saga.Request, saga.Confirm, saga.Cancel}[rand.IntN(3)]
					ds = append(ds, command(nth(n+1), "work", op, 1+rand.IntN(9), ""))
				}
				late(t, b, p, ds)
				batches.Add(1)
			}
		})
	}
	begun := time.Now()
	var gone int64
	for round := 0; round < 2 || batches.Load() < 200; round++ {
		watch := make(chan struct{})
		load.Go(func() { b.watch(watch, &front) })
		n, err := participant.ForgetAll(p, t.Context(), remember)
		close(watch)
		assert.NoError(t, err)
		gone += n
		if n > 0 {
			t.Logf("%d steps are forgotten, %v in all", n, time.Since(begun).Round(time.Millisecond))
		}
	}
	stop()
	load.Wait()
	require.Greater(t, gone, int64(sagas/2))
	rows, err := b.DB.Query(t.Context(), wrongAnswers)
	require.NoError(t, err)
	wrong, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Empty(t, wrong)
	t.Log(b.text(`SELECT string_agg(concat_ws(' ', o, n), ', ') FROM (SELECT headers ->> 'cloudEvents_sagaoutcome' || coalesce(' ' || (payload ->> 'type'), '') AS o,
		count(*) AS n FROM outbox GROUP BY 1 ORDER BY 1) AS s`))
}

// late has commands carried out as the loop would.
func late(t *testing.T, b *bench, p *participant.Participant, ds []inbox.Delivery) {
	for {
		err := pgx.BeginFunc(t.Context(), b.DB, func(tx pgx.Tx) error {
			_, err := participant.Handle(p, t.Context(), tx, ds)
			return err
		})
		var pg *pgconn.PgError
		if errors.As(err, &pg) && pg.Code[:2] == "40" {
			continue
		}
		assert.NoError(t, err)
		return
	}
}

// watch keeps how far the sagas are forgotten.
func (b *bench) watch(ended chan struct{}, front *atomic.Int64) {
	for {
		select {
		case <-ended:
			return
		case <-time.After(time.Millisecond):
		}
		var to uuid.UUID
		if err := b.DB.QueryRow(b.t.Context(), `SELECT forgotten_to FROM saga_barrier_watermark`).Scan(&to); err == nil {
			n := int64(0)
			for _, digit := range to[10:] {
				n = n<<8 | int64(digit)
			}
			front.Store(n)
		}
	}
}
