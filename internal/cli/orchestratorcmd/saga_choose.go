package orchestratorcmd

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"go.example/saga/internal/cli"
	"go.example/saga/pkg/saga"
	engine "go.example/saga/pkg/saga/orchestrator"
	"go.example/saga/pkg/saga/sagapg"
)

// choice are the flags that choose sagas.
type choice struct {
	statuses                       []string
	key, kind, step                string
	failure, parkReason            string
	olderThan, youngerThan         string
	stuck, overdue, parked, paused bool
	limit                          int
}

// choosing are the flags that make a choice; limit only cuts it.
var choosing = []string{
	"status", "type", "step", "failure", "park-reason", "older-than", "younger-than", "stuck", "overdue", "parked", "paused",
}

func (c *choice) register(cmd *cobra.Command, limit int) {
	flags := cmd.Flags()
	keyFlag(cmd, &c.key)
	flags.StringSliceVar(&c.statuses, "status", nil, "only these: STARTED, COMPLETED, ABORTING, ABORTED, PARKED, KILLED")
	flags.StringVar(&c.kind, "type", "", "only sagas of this definition")
	flags.StringVar(&c.step, "step", "", "only sagas in which this step is under way or parked")
	flags.StringVar(&c.failure, "failure", "", "only what goes or went back because of this: refused, unknown, unavailable, unsignalled, condition, deadline, aborted")
	flags.StringVar(&c.parkReason, "park-reason", "", "only what is parked because of this, for example 'attempts spent'")
	flags.StringVar(&c.olderThan, "older-than", "", "only sagas started so long ago, or before that time: 2h30m or 2027-01-10T12:00:00Z")
	flags.StringVar(&c.youngerThan, "younger-than", "", "only sagas started since then, as --older-than")
	flags.BoolVar(&c.stuck, "stuck", false, "only sagas that need somebody: parked or overdue")
	flags.BoolVar(&c.overdue, "overdue", false, "only sagas that should have been acted upon: is an orchestrator running?")
	flags.BoolVar(&c.parked, "parked", false, "only sagas that wait for an operator's decision")
	flags.BoolVar(&c.paused, "paused", false, "only sagas that an operator has paused")
	flags.IntVar(&c.limit, "limit", limit, "at most so many, the newest")
}

func keyFlag(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVar(into, "key", "", "the saga with this business key, as TYPE/KEY")
}

// selection reads the flags. Ages become times by the database's clock, also in the
// flags themselves, so that a command that is repeated chooses the same.
func (c *choice) selection(cmd *cobra.Command, e *engine.Engine) (s sagapg.Selection, err error) {
	s = sagapg.Selection{
		Type: c.kind, Step: c.step, Failure: saga.FailureClass(c.failure), ParkReason: saga.ParkReason(c.parkReason),
		Stuck: c.stuck, Overdue: c.overdue, Parked: c.parked, Paused: c.paused, Limit: c.limit,
	}
	for _, status := range c.statuses {
		s.Statuses = append(s.Statuses, saga.Status(strings.ToUpper(status)))
	}
	if c.key != "" {
		if s.Type, s.BusinessKey, err = splitKey(c.key); err != nil {
			return s, err
		}
		if c.kind != "" && c.kind != s.Type {
			return s, cli.Usagef("--key %s is not of --type %s", c.key, c.kind)
		}
	}
	if s.StartedBefore, err = moment(cmd, e, "older-than", c.olderThan); err != nil {
		return s, err
	}
	if s.StartedAfter, err = moment(cmd, e, "younger-than", c.youngerThan); err != nil {
		return s, err
	}
	return s, s.Validate()
}

// moment reads a time, or an age by the database's clock.
func moment(cmd *cobra.Command, e *engine.Engine, flag, given string) (time.Time, error) {
	if given == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, given); err == nil {
		return at.UTC(), nil
	}
	age, err := time.ParseDuration(given)
	if err != nil || age < 0 {
		return time.Time{}, cli.Usagef("--%s %q is neither an age like 2h30m nor a time like 2027-01-10T12:00:00Z", flag, given)
	}
	now, err := e.Store.Clock(cmd.Context(), e.DB)
	if err != nil {
		return time.Time{}, err
	}
	at := now.Add(-age).UTC().Truncate(time.Millisecond)
	return at, cmd.Flags().Set(flag, at.Format(time.RFC3339Nano))
}

func splitKey(key string) (kind, businessKey string, err error) {
	kind, businessKey, _ = strings.Cut(key, "/")
	if kind == "" || businessKey == "" {
		return "", "", cli.Usagef("--key %q is not TYPE/KEY", key)
	}
	return kind, businessKey, nil
}

// byKey finds the one saga.
func byKey(ctx context.Context, e *engine.Engine, key string) (saga.ID, error) {
	kind, businessKey, err := splitKey(key)
	if err != nil {
		return saga.ID{}, err
	}
	ids, err := e.Store.Find(ctx, e.DB, sagapg.Selection{Type: kind, BusinessKey: businessKey, Limit: 1})
	if err == nil && len(ids) == 0 {
		err = fmt.Errorf("key %s: %w", key, sagapg.ErrNoSaga)
	}
	if err != nil {
		return saga.ID{}, err
	}
	return ids[0], nil
}

// one finds the saga that is named by its id, or else by its key.
func one(ctx context.Context, e *engine.Engine, args []string, key string) (saga.ID, error) {
	if len(args) == 0 {
		return byKey(ctx, e, key)
	}
	return sagaID(args[0])
}
