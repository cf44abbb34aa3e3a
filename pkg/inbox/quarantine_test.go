package inbox_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox"
)

// corpus is what a broker may deliver besides good messages.
func corpus() []inbox.Delivery {
	bodies := []string{
		"", "{", "null", "[]", "1", `"text"`, `{"a":"\u0000"}`, `{"a":"\ud800"}`, "\xff\xfe", "\x00", "\x1f\x8b\x08\x00",
		strings.Repeat("[", 20000), `{"a":1,"a":2}`, `{"n":1e999999}`, `{"n":9007199254740993}`,
		strings.Repeat("x", 10<<20),
	}
	var ds []inbox.Delivery
	for i, body := range bodies {
		ds = append(ds, inbox.Delivery{MessageID: fmt.Sprintf("poison-%02d", i), Body: []byte(body)})
	}
	return append(ds,
		inbox.Delivery{Body: []byte("no message id")},
		inbox.Delivery{Body: []byte("no message id")},
		inbox.Delivery{MessageID: "nil body"},
		inbox.Delivery{
			MessageID: "\x00\xff", Type: "\x00", ReplyTo: "\xff", CorrelationID: "\x80", AppID: "\x00",
			ContentType: "\xff", Exchange: "\x00", RoutingKey: "\xfe", Body: []byte("bytes everywhere"),
			Headers: map[string]string{"\x00": "\xff", "plain": "text", "": "empty name"},
		},
	)
}

func TestPoisonIsKeptByteForByteAndNeighboursCommit(t *testing.T) {
	poison := corpus()
	good := numbers(len(poison))
	var all []inbox.Delivery
	for i := range poison {
		all = append(all, good[i], poison[i])
	}
	b := setUp(t, all...)
	b.start(func(ctx context.Context, tx pgx.Tx, ds []inbox.Delivery) (rejections []inbox.Rejection, err error) {
		for i, d := range ds {
			if d.RoutingKey != "k" {
				rejections = append(rejections, inbox.Rejection{Index: i, Reason: "poison \x00 \xff"})
				continue
			}
			if _, err := store(ctx, tx, []inbox.Delivery{d}); err != nil {
				return nil, err
			}
		}
		return rejections, nil
	})
	b.awaitAcked(len(all))
	require.Equal(t, len(good), b.count(`SELECT count(*) FROM work`))

	rows, err := b.db.Query(t.Context(), `SELECT body FROM inbox_quarantine ORDER BY id`)
	require.NoError(t, err)
	bodies, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	require.NoError(t, err)
	require.Len(t, bodies, len(poison))
	for i, d := range poison {
		require.Equal(t, string(d.Body), string(bodies[i]), "message %d", i)
	}
	require.Equal(t, 2, b.count(`SELECT count(*) FROM inbox_quarantine WHERE message_id IS NULL`))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM inbox_quarantine WHERE message_id = '\x00\xff'
		AND headers = '{"\\x00":"\\xff","plain":"text","":"empty name"}' AND routing_key = '\xfe'
		AND reason = 'poison \x00 \xff'`))
}

// Another message under an id that was used before must not be lost.
func TestOneIDSeveralMessages(t *testing.T) {
	other := message("m", "second")
	other.Headers = map[string]string{"a": "another"}
	b := setUp(t, message("m", "first"), message("m", "second"), message("m", "first"), other)
	b.start(func(_ context.Context, _ pgx.Tx, ds []inbox.Delivery) (rejections []inbox.Rejection, err error) {
		for i := range ds {
			rejections = append(rejections, inbox.Rejection{Index: i, Reason: "no"})
		}
		return rejections, nil
	})
	b.awaitAcked(4)
	require.Equal(t, 2, b.count(`SELECT deliveries FROM inbox_quarantine WHERE body = 'first'`))
	require.Equal(t, 2, b.count(`SELECT count(*) FROM inbox_quarantine WHERE body = 'second' AND deliveries = 1`))
}

// What PostgreSQL quotes of a message is no part of the reason; names of objects are.
func TestAReasonQuotesNoValue(t *testing.T) {
	b := setUp(t, message("m1", `12"private"`), message("m2", "7"))
	_, err := b.db.Exec(t.Context(), `ALTER TABLE work ADD CONSTRAINT small CHECK (number < 5)`)
	require.NoError(t, err)
	b.startBrisk(store)
	b.awaitAcked(2)
	require.Equal(t, 1, b.count(`SELECT count(*) FROM inbox_quarantine WHERE message_id = 'm1' AND code = 'failing'
		AND reason LIKE '%invalid input syntax for type integer: "…" (SQLSTATE 22P02)'`))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM inbox_quarantine WHERE message_id = 'm2' AND reason LIKE '%constraint "small"%23514%'`))
}

// A message that was given up or put back and comes again waits again.
func TestWhatComesAgainIsHeldAgain(t *testing.T) {
	b := setUp(t, message("m", "first"))
	b.start(func(context.Context, pgx.Tx, []inbox.Delivery) ([]inbox.Rejection, error) {
		return []inbox.Rejection{{Code: inbox.Unexpected, Reason: "no"}}, nil
	})
	b.awaitAcked(1)
	_, err := b.db.Exec(t.Context(), `UPDATE inbox_quarantine SET state = 'discarded', retry_at = NULL, handled_at = now(), handled_by = 'ada', note = 'n'`)
	require.NoError(t, err)
	b.queue.put(message("m", "first"))
	b.awaitAcked(2)
	require.Equal(t, 1, b.count(`SELECT count(*) FROM inbox_quarantine WHERE state = 'held' AND deliveries = 2 AND handled_by = 'ada'`))
}
