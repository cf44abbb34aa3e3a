// Package quarantinecmd is the command "quarantine" of every program whose database has an
// inbox: see and settle the messages that its consumers have set aside.
package quarantinecmd

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"go.example/saga/internal/app"
	"go.example/saga/internal/cli"
	"go.example/saga/internal/config"
	"go.example/saga/pkg/inbox/quarantine"
	"go.example/saga/pkg/rabbit"
)

// Target is whose quarantine it is.
type Target struct {
	Database config.Database
	Schema   string
	Broker   config.Broker // needed by retry alone
}

const help = `See and settle the messages that a consumer could not process and has set aside. Each has
one of these states:
  held       it is tried again by itself, after 1 min, 2, 4 … 60 min, for a day
  dead       it is not tried again by itself: it waits for you
  retried    it was put back into the queue from which it came
  discarded  it was given up
and one of these reasons:
  undecodable  it breaks a rule of the protocol
  unknown      it is about a saga, or a thing, that this database does not have
  unexpected   it has no place in the past of what it is about
  failing      its handler fails
  dead-letter  the broker has given it up
  other        another reason of a handler
docs/operators.md says what to do about each.`

// New is the command of a program; load reads its settings.
func New(program string, load func() (Target, error)) *cobra.Command {
	c := &command{program: program, load: load}
	cmd := &cobra.Command{
		Use: "quarantine", Short: "See, put back or discard the messages that a consumer has set aside", Long: help,
		Example: "  " + program + " quarantine groups\n" +
			"  " + program + " quarantine retry --reason failing --note \"the table is mended\"",
	}
	cmd.AddCommand(c.list(), c.show(), c.groups(), c.retry(), c.discard())
	return cmd
}

type command struct {
	program string
	load    func() (Target, error)
}

// withStore runs work on the program's quarantine.
func (c *command) withStore(ctx context.Context, work func(*quarantine.Store, Target) error) error {
	target, err := c.load()
	if err != nil {
		return err
	}
	pool, err := app.OpenPool(ctx, target.Database.DatabaseAddress, c.program+"-quarantine", 2)
	if err != nil {
		return cli.Usagef("%w", err)
	}
	defer app.ClosePools(pool)
	return work(&quarantine.Store{DB: pool, Schema: target.Schema}, target)
}

// broker opens the way back.
func (c *command) broker(ctx context.Context, target Target) (*rabbit.Returner, error) {
	if err := target.Broker.RequireBroker(); err != nil {
		return nil, cli.Usagef("%w", err)
	}
	return rabbit.OpenReturner(ctx, app.Broker(target.Broker, c.program+"-quarantine"))
}

// choice are the flags that choose messages.
type choice struct {
	ids                        []int64
	states, consumers, reasons []string
	olderThan                  time.Duration
	saga                       string
}

func (c *choice) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Int64SliceVar(&c.ids, "id", nil, "only these messages; repeat it or separate by commas")
	flags.StringSliceVar(&c.consumers, "consumer", nil, "only messages of these consumers")
	flags.StringSliceVar(&c.reasons, "reason", nil, "only these reasons: "+join(quarantine.Codes))
	flags.StringVar(&c.saga, "saga", "", "only messages about the saga of this id")
	flags.DurationVar(&c.olderThan, "older-than", 0, "only messages that were set aside so long ago, for example 2h30m")
}

func (c *choice) registerStates(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&c.states, "state", nil, "only these states: "+join(quarantine.States)+" (default held, dead)")
}

// narrowed says whether any flag chooses among the messages that wait.
func narrowed(cmd *cobra.Command) bool {
	return slices.ContainsFunc([]string{"id", "consumer", "reason", "saga", "older-than"}, cmd.Flags().Changed)
}

func (c *choice) filter() (quarantine.Filter, error) {
	f := quarantine.Filter{IDs: c.ids, Consumers: c.consumers, OlderThan: c.olderThan}
	for _, s := range c.states {
		if !slices.Contains(quarantine.States, quarantine.State(s)) {
			return f, cli.Usagef("--state %q is none of %s", s, join(quarantine.States))
		}
		f.States = append(f.States, quarantine.State(s))
	}
	for _, r := range c.reasons {
		if !slices.Contains(quarantine.Codes, quarantine.Code(r)) {
			return f, cli.Usagef("--reason %q is none of %s", r, join(quarantine.Codes))
		}
		f.Codes = append(f.Codes, quarantine.Code(r))
	}
	if c.saga != "" {
		id, err := uuid.Parse(c.saga)
		if err != nil {
			return f, cli.Usagef("--saga %q is not the id of a saga: it has to be a UUID", c.saga)
		}
		f.Saga = id.String()
	}
	if c.olderThan < 0 {
		return f, cli.Usagef("--older-than is %v, want a positive duration", c.olderThan)
	}
	return f, nil
}

func join[T ~string](all []T) string {
	words := make([]string, len(all))
	for i, word := range all {
		words[i] = string(word)
	}
	return strings.Join(words, ", ")
}

func messageID(cmd *cobra.Command, args []string) (int64, error) {
	if len(args) != 1 {
		return 0, cli.Usagef("%s needs the message's id (see %s --help)", cmd.CommandPath(), cmd.CommandPath())
	}
	id, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return 0, cli.Usagef("%q is not the id of a message: it has to be a number", args[0])
	}
	return id, nil
}
