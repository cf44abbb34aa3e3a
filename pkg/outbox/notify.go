package outbox

import (
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/time/rate"
)

// A process announces at most [AnnounceBurst] commits in [AnnounceBurst] times
// [AnnounceEvery], and one in AnnounceEvery as long as there are more. A NOTIFY takes a
// lock of the whole cluster until its transaction has committed, so commits that all
// announce themselves go one by one. Rare ones cost nothing that can be measured
// (BenchmarkAppend16). So whoever hears fewer than AnnounceBurst announcements in that
// time knows that nobody has kept one to himself.
const (
	AnnounceEvery = 3 * time.Millisecond
	AnnounceBurst = 4
)

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
type ringer = rate.Limiter

func newRinger() *ringer { return rate.NewLimiter(rate.Every(AnnounceEvery), AnnounceBurst) }

var ringers sync.Map // database and channel → *ringer

// announce returns the channel if the transaction is to announce itself, or nothing.
func (s Schema) announce(tx any) string {
	if s.channel == "" || !ringerOf(tx, s.channel).Allow() {
		return ""
	}
	return s.channel
}

// ringerOf is the one of the transaction's database. A connection keeps it, because
// asking where a connection leads to copies all its settings.
func ringerOf(tx any, channel string) *ringer {
	connected, ok := tx.(interface{ Conn() *pgx.Conn })
	if !ok || connected.Conn() == nil {
		return shared("", channel) // of another driver
	}
	conn := connected.Conn()
	kept, key := conn.PgConn().CustomData(), "ringer of "+channel
	if known, ok := kept[key].(*ringer); ok {
		return known
	}
	config := conn.Config()
	r := shared(fmt.Sprintf("%s:%d/%s", config.Host, config.Port, config.Database), channel)
	kept[key] = r
	return r
}

// shared is the one ringer of this process. Databases are told apart as far as a
// transaction says where it leads to; the others share their announcements.
func shared(database, channel string) *ringer {
	key := database + " " + channel
	known, ok := ringers.Load(key)
	if !ok {
		known, _ = ringers.LoadOrStore(key, newRinger())
	}
	return known.(*ringer)
}
