package outboxpg

import (
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

func coded(sqlstate string) error { return &pgconn.PgError{Code: sqlstate} }

// A row that holds what no message can is told apart, by its id, and the others are read.
func TestARowThatIsNoMessageIsReadAsThat(t *testing.T) {
	b := setup(t)
	tenure := b.acquire("one")
	b.insert(b.pool, "a", "before")
	b.exec(`ALTER TABLE public.outbox DISABLE TRIGGER outbox_checked`)
	b.exec(`ALTER TABLE public.outbox ALTER event_id DROP NOT NULL`)
	for column, value := range map[string]string{
		"created_at": `'infinity'`, "deliver_at": `'infinity'`, "headers": `'[1]'`, "event_id": `NULL`, "reply_to": `'x'`,
	} {
		b.exec(`INSERT INTO public.outbox (xact, aggregate_type, aggregate_id, type, exchange, routing_key, payload, ` + column + `)
			VALUES (pg_current_xact_id(), 'test', 'k', '` + column + `', '', 'queue', '{}', ` + value + `)`)
	}
	b.exec(`ALTER TABLE public.outbox ENABLE ALWAYS TRIGGER outbox_checked`)
	b.insert(b.pool, "a", "after")
	page, err := tenure.Read(b.ctx, tenure.Position(), 10)
	require.NoError(t, err)
	bad := map[string]string{}
	for _, r := range page.Records {
		if r.Unreadable != nil {
			bad[r.Type] = r.Unreadable.Error()
		}
	}
	require.Len(t, page.Records, 7)
	require.Len(t, bad, 4)
	for _, column := range []string{"created_at", "deliver_at", "headers", "event_id"} {
		require.Contains(t, bad[column], column)
	}
}

// A row that the database itself cannot give fails alone: here the view over a table of
// somebody else's fails on a value, elsewhere a block of the disk is spoilt.
func TestARowThatTheDatabaseCannotGive(t *testing.T) {
	b := setup(t)
	for _, name := range numbered("m", 5) {
		b.insert(b.pool, "k", name)
	}
	// The log as a view that converts; the table behind it has the same rows.
	b.exec(`ALTER TABLE public.outbox RENAME TO source`)
	b.exec(`CREATE VIEW public.outbox AS SELECT id, xact, event_id, aggregate_type, aggregate_id, type, exchange, routing_key,
		correlation_id, reply_to, content_type, headers,
		CASE WHEN type = 'm2' THEN (1 / (id - id))::text::jsonb ELSE payload END AS payload,
		payload_bytes, deliver_at, created_at, source.xmin AS inserted_by FROM public.source`)
	tenure := b.acquire("one")
	read := func() map[int64]string {
		names := map[int64]string{}
		for from := tenure.Position(); ; {
			page, err := tenure.Read(b.ctx, from, 10)
			require.NoError(t, err)
			from = page.End()
			if len(page.Records) == 0 {
				return names
			}
			for _, r := range page.Records {
				names[r.Position] = r.Type
				if r.Unreadable != nil {
					names[r.Position] = r.Unreadable.Error()
				}
			}
		}
	}
	names := read()
	require.Len(t, names, 5)
	for id, name := range names {
		if id == 3 {
			require.Contains(t, name, "22012")
			continue
		}
		require.Equal(t, numbered("m", 5)[id-1], name)
	}

	bad := unreadable(3, ErrNotParked)
	b.parks(tenure, Parking{Record: bad, State: Retry, Reason: "unreadable", Error: "x", Attempts: 1})
	due, err := tenure.Due(b.ctx, 10, []int64{})
	require.NoError(t, err, "nor does it stop what is due")
	require.Len(t, due, 1)
	require.ErrorContains(t, due[0].Record.Unreadable, "22012")
	require.Equal(t, "row 3", due[0].Record.AggregateID)
	b.exec(`UPDATE public.source SET type = 'mended' WHERE id = 3`)
	due, err = tenure.Due(b.ctx, 10, []int64{})
	require.NoError(t, err)
	require.NoError(t, due[0].Record.Unreadable)
	require.Equal(t, "mended", due[0].Record.Type)
}

// An outage is no row's fault: nothing is called unreadable for it.
func TestAnOutageIsNoRowsFault(t *testing.T) {
	for _, code := range []string{"57014", "53200", "42501", "08006", "40001", "HV00N", "P0001"} {
		require.False(t, isOfRows(coded(code)), code)
	}
	for _, code := range []string{"22012", "22P02", "54000", "XX001"} {
		require.True(t, isOfRows(coded(code)), code)
	}
}
