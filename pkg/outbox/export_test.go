package outbox

import (
	"context"
	"time"
)

// AppendOn is [Append] where the test decides about the announcement.
func AppendOn(ctx context.Context, tx Tx, channel string, messages ...Message) error {
	args, err := parameters(messages, nil)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, In("").insert, append(args, channel)...)
	return err
}

// Due asks a new ringer for an announcement at each of the times.
func Due(times ...time.Duration) []bool {
	r, began := newRinger(), time.Now()
	due := make([]bool, len(times))
	for i, now := range times {
		due[i] = r.AllowN(began.Add(now), 1)
	}
	return due
}

// TraceHeaders is what Append adds to the headers.
var TraceHeaders = traceHeaders

// Ringer is what bounds the announcements of a transaction.
func Ringer(tx any) any { return ringerOf(tx, "channel") }
