package relay

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.example/saga/internal/address"
	"go.example/saga/pkg/outbox/outboxpg"
	engine "go.example/saga/pkg/outbox/relay"
)

// databaseLook is what is found out of one database.
type databaseLook struct {
	database
	wanted   int // shards; 0 for any number
	shards   []ShardStatus
	parked   []ParkedStatus
	problems []Problem
}

// read asks everything on its own, so that what fails hides nothing else.
func (l *databaseLook) read(ctx context.Context) {
	lags, err := l.log.Lag(ctx)
	if err != nil {
		l.shards = []ShardStatus{{Database: l.name, State: stateOfError(err), LastError: address.Scrub(err.Error())}}
	}
	for _, lag := range lags {
		l.shards = append(l.shards, shardStatus(l.name, lag))
	}
	if err != nil && !outboxpg.Refused(err) || errors.Is(err, outboxpg.ErrNotInstalled) {
		return // nobody answers, or there is nothing
	}
	l.readParked(ctx)
	l.readRights(ctx)
	l.readPartitions(ctx)
	if l.wanted > 0 && lags != nil && len(lags) != l.wanted {
		l.problem(engine.TaskReshard, "the outbox has %d shards, RELAY_SHARDS is %d", len(lags), l.wanted)
	}
}

func (l *databaseLook) problem(task, format string, args ...any) {
	l.problems = append(l.problems, Problem{Database: l.name, Task: task, Problem: address.Scrub(fmt.Sprintf(format, args...))})
}

func stateOfError(err error) string {
	switch {
	case errors.Is(err, outboxpg.ErrNotInstalled):
		return StateNoTables
	case outboxpg.LacksRights(err):
		return StateNoRights
	case outboxpg.Refused(err):
		return StateError
	}
	return StateUnreachable
}

func shardStatus(database string, lag outboxpg.Lag) ShardStatus {
	s := ShardStatus{
		Database:      database,
		Shard:         lag.Shard,
		State:         StateActive,
		Holder:        lag.Holder,
		PublishedID:   lag.PublishedID,
		Pending:       lag.Pending,
		OldestSeconds: int64(lag.OldestAge.Seconds()),
		LastError:     lag.LastError,
		Timeline:      lag.Timeline, TimelineChangedAt: lag.TimelineChangedAt,
	}
	switch {
	case lag.VoidHolder != "":
		s.State = StateVoidLease
		s.LastError = strings.TrimSpace("the lease of relay " + lag.VoidHolder + " ends later than it can: the database's clock was set back. " +
			"A relay that runs takes over once it has stood unchanged for its own length. " + lag.LastError)
	case lag.LastError != "":
		s.State = StateStalled
	case lag.Holder == "":
		s.State = StateNoRelay
	}
	return s
}

func (l *databaseLook) readParked(ctx context.Context) {
	counts, err := l.log.CountParked(ctx, outboxpg.ParkedFilter{})
	if err != nil {
		l.problem("parked", "%v", err)
	}
	for _, c := range counts {
		l.parked = append(l.parked, ParkedStatus{l.name, c})
	}
}

// readRights shows what the role lacks for what is at hand. A log that has to be rebased or
// resharded says so itself.
func (l *databaseLook) readRights(ctx context.Context) {
	missing, err := l.log.MissingRights(ctx)
	if err != nil {
		l.problem("rights", "%v", err)
	}
	statements := map[string][]string{}
	for _, m := range missing {
		statements[m.Task] = append(statements[m.Task], m.Statement)
	}
	if upkeep := statements[outboxpg.TaskUpkeep]; upkeep != nil {
		l.problem(engine.TaskUpkeep, "%v", &outboxpg.RightsError{Task: outboxpg.TaskUpkeep, Statements: upkeep})
	}
	if publish := statements[outboxpg.TaskPublish]; publish != nil {
		for i := range l.shards {
			l.shards[i].State = StateNoRights
			l.shards[i].LastError = (&outboxpg.RightsError{Task: outboxpg.TaskPublish, Statements: publish}).Error()
		}
	}
}

// readPartitions finds out whether those ahead are there, which somebody has to make.
func (l *databaseLook) readPartitions(ctx context.Context) {
	if len(l.problems) > 0 {
		return // that is why, or there is enough to do
	}
	const ahead = 2 // as upkeep makes
	switch missing, err := l.log.PartitionsMissing(ctx, ahead); {
	case err != nil:
		l.problem(engine.TaskUpkeep, "%v", err)
	case missing >= ahead:
		l.problem(engine.TaskUpkeep, "no partition lies ahead of the row inserted last: no relay makes them, see its log")
	}
}
