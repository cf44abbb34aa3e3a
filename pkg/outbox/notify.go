package outbox

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// announceEvery is the least time between two announcements. A NOTIFY takes a lock of
// the whole cluster until its transaction has committed, so commits that all announce
// themselves go one by one. Rare ones cost nothing that can be measured
// (BenchmarkAppend16).
const announceEvery = 5 * time.Millisecond

// Channel is the NOTIFY channel on which an outbox announces new messages: outbox_
// and the name of the schema; the empty one is public. PostgreSQL takes 63 bytes.
// Should two long names be cut to the same channel, each reader wakes up for both.
func Channel(schema string) string {
	if schema == "" {
		schema = "public"
	}
	const most = 63
	channel := "outbox_" + schema
	return channel[:min(len(channel), most)]
}

// ringer bounds the announcements of this process on one channel of one database.
type ringer struct {
	next atomic.Int64 // nanoseconds since began; an announcement is due from then on
}

var (
	began   = time.Now()
	ringers sync.Map // database and channel → *ringer
)

// announce returns the channel if the transaction is to announce itself, or nothing.
func (s Schema) announce(tx any) string {
	key := database(tx) + " " + s.channel
	known, ok := ringers.Load(key)
	if !ok {
		known, _ = ringers.LoadOrStore(key, new(ringer))
	}
	if !known.(*ringer).due(time.Since(began)) {
		return ""
	}
	return s.channel
}

// due takes the announcement at a time, unless another caller has taken one shortly
// before.
func (r *ringer) due(now time.Duration) bool {
	next := r.next.Load()
	return int64(now) >= next && r.next.CompareAndSwap(next, int64(now+announceEvery))
}

// database tells the databases that a process writes to apart, as far as a transaction
// says where it leads to: one of a pool does. The others share their announcements.
func database(tx any) string {
	pooled, ok := tx.(*pgxpool.Tx)
	if !ok {
		return ""
	}
	config := pooled.Conn().Config()
	return fmt.Sprintf("%s:%d/%s", config.Host, config.Port, config.Database)
}
