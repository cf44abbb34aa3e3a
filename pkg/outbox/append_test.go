package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func open(t *testing.T, pool *pgxpool.Pool) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", pool.Config().ConnString())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// stored reads the outbox back, in order, as messages.
func stored(t *testing.T, pool *pgxpool.Pool, table string) []outbox.Message {
	t.Helper()
	rows, err := pool.Query(t.Context(), `
		SELECT event_id, aggregate_type, aggregate_id, type, exchange, routing_key,
		       coalesce(correlation_id, ''), coalesce(reply_to, ''), content_type, headers,
		       deliver_at, coalesce(payload_bytes, convert_to(payload::text, 'UTF8'))
		  FROM `+table+` ORDER BY id`)
	require.NoError(t, err)
	messages, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m outbox.Message, err error) {
		var at *time.Time
		err = row.Scan(&m.ID, &m.AggregateType, &m.AggregateID, &m.Type, &m.Exchange, &m.RoutingKey,
			&m.CorrelationID, &m.ReplyTo, &m.ContentType, &m.Headers, &at, &m.Payload)
		if at != nil {
			m.DeliverAt = at.UTC()
		}
		return m, err
	})
	require.NoError(t, err)
	return messages
}

func TestAppendStoresEveryField(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox)
	require.NoError(t, sagasql.Up(t.Context(), pool.Config().ConnString(), "order", sagasql.Outbox))
	full := message(func(m *outbox.Message) { m.ID = uuid.New() })
	least := outbox.Message{AggregateType: "a", AggregateID: "b", Type: "c", RoutingKey: "q", Payload: []byte("null")}

	for _, c := range []struct {
		table  string
		schema outbox.Schema
	}{{"public.outbox", outbox.In("")}, {`"order".outbox`, outbox.In("order")}} {
		require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			return c.schema.Append(t.Context(), tx, full, least)
		}))
		tx, err := open(t, pool).BeginTx(t.Context(), nil)
		require.NoError(t, err)
		require.NoError(t, c.schema.AppendSQL(t.Context(), tx, full, least))
		require.NoError(t, tx.Commit())

		got := stored(t, pool, c.table)
		require.Len(t, got, 4)
		for i, m := range got {
			if i%2 == 0 {
				require.Equal(t, full, m)
				continue
			}
			require.Equal(t, uuid.Version(4), m.ID.Version(), "drawn by the database")
			require.Equal(t, "application/json", m.ContentType)
			m.ID, m.ContentType, m.Headers = uuid.Nil, "", nil
			require.Equal(t, least, m)
		}
		require.NotEqual(t, got[1].ID, got[3].ID)
	}
}

func TestAppendKeepsTheOrderOfItsArguments(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox)
	var messages []outbox.Message
	for i := range 5000 {
		// Nothing else about them is in this order.
		messages = append(messages, message(payload(fmt.Sprint(i)), func(m *outbox.Message) {
			m.ID, m.AggregateID = uuid.New(), fmt.Sprint(i*7919%5000)
		}))
	}
	require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		if err := outbox.Append(t.Context(), tx, messages[:4000]...); err != nil {
			return err
		}
		return outbox.Append(t.Context(), tx, messages[4000:]...)
	}))
	for i, m := range stored(t, pool, "public.outbox") {
		require.Equal(t, fmt.Sprint(i), string(m.Payload))
	}
}

func TestRollbackLeavesNothing(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox)
	_, err := pool.Exec(t.Context(), `CREATE TABLE public.business (id text)`)
	require.NoError(t, err)
	planted := errors.New("planted")

	// After the append.
	require.ErrorIs(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO public.business VALUES ('a')`)
		require.NoError(t, err)
		require.NoError(t, outbox.Append(t.Context(), tx, message()))
		return planted
	}), planted)
	// By the append: the second message is bad, so the first stays out too, and the
	// transaction could go on.
	err = pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		var invalid *outbox.ValidationError
		err := outbox.Append(t.Context(), tx, message(), message(payload("{")))
		require.ErrorAs(t, err, &invalid)
		require.Equal(t, 1, invalid.Index)
		require.Equal(t, "payload", invalid.Field)
		_, aliveErr := tx.Exec(t.Context(), `SELECT 1`)
		require.NoError(t, aliveErr)
		require.NoError(t, outbox.Append(t.Context(), tx))
		return err
	})
	require.Error(t, err)
	// With the session: it ends before the commit.
	conn, err := pgx.Connect(t.Context(), pool.Config().ConnString())
	require.NoError(t, err)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, outbox.Append(t.Context(), tx, message()))
	require.NoError(t, conn.Close(t.Context()))

	var left int
	require.NoError(t, pool.QueryRow(t.Context(),
		`SELECT (SELECT count(*) FROM public.business) + (SELECT count(*) FROM public.outbox)`).Scan(&left))
	require.Zero(t, left)
}

func TestAppendNamesADatabaseError(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t) // without the table
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error { return outbox.Append(t.Context(), tx, message()) })
	var pgErr *pgconn.PgError
	require.ErrorAs(t, err, &pgErr)
	require.Equal(t, "42P01", pgErr.Code)
	require.ErrorContains(t, err, "roll back")
	var invalid *outbox.ValidationError
	require.NotErrorAs(t, err, &invalid)
}

// unitOfWork is how a mapper such as gorm hands out its transaction.
type unitOfWork struct{ db *sql.DB }

func (u unitOfWork) do(ctx context.Context, work func(tx *sql.Tx) error) error {
	tx, err := u.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := work(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func TestAppendSQLSharesTheTransactionOfAMapper(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox)
	_, err := pool.Exec(t.Context(), `CREATE TABLE public.business (id text PRIMARY KEY)`)
	require.NoError(t, err)
	work := unitOfWork{open(t, pool)}
	place := func() error {
		return work.do(t.Context(), func(tx *sql.Tx) error {
			if err := outbox.AppendSQL(t.Context(), tx, message(), message()); err != nil {
				return err
			}
			_, err := tx.ExecContext(t.Context(), `INSERT INTO public.business VALUES ('a')`)
			return err
		})
	}
	require.NoError(t, place())
	require.ErrorContains(t, place(), "business_pkey")
	require.Len(t, stored(t, pool, "public.outbox"), 2)
}
