package relaycmd

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"go.example/saga/internal/cli"
	"go.example/saga/pkg/outbox/outboxpg"
)

const parkedHelp = `See and settle the messages that could not be published in their turn.

A message is parked in one of these states:
  retry      refused by the broker, will be tried again by itself
  waiting    behind an earlier message of its aggregate; goes when that has gone
  dead       not tried any more: fix the cause, then retry it, or discard it
  scheduled  due later, for the first time or once more; in nobody's way
  discarded  given up by an operator; shown only with --state discarded
and for one of these reasons:
  unroutable  no queue is bound for it, or there is no such exchange
  nacked      the broker refused it, for example because a queue is full
  invalid     the protocol cannot carry it
  fatal       the broker ended the session because of it`

func newParked(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "parked",
		Short: "See, retry or discard the messages that could not be published",
		Long:  parkedHelp,
		Example: `  relay parked list --summary
  relay parked retry --state dead --reason unroutable`,
	}
	cmd.AddCommand(newParkedList(o), newParkedShow(o), newParkedRetry(o), newParkedDiscard(o))
	return cmd
}

// reasons are those that the table outbox_parked knows.
var reasons = []string{"unroutable", "nacked", "invalid", "fatal"}

// parkedFlags are the flags that choose parked messages.
type parkedFlags struct {
	database                        string
	ids                             []int64
	states, reasons                 []string
	key, kind, exchange, routingKey optionalText
	olderThan                       time.Duration
}

func (p *parkedFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	databaseFlag(cmd, &p.database)
	flags.Int64SliceVar(&p.ids, "id", nil, "only these messages, by outbox.id; repeat it or separate by commas")
	flags.StringSliceVar(&p.states, "state", nil, "only these states: scheduled, retry, http, http_dead, waiting, dead, discarded")
	flags.StringSliceVar(&p.reasons, "reason", nil, "only these reasons: "+strings.Join(reasons, ", "))
	flags.Var(&p.key, "key", "only messages of this aggregate_id")
	flags.Var(&p.kind, "type", "only messages of this type")
	flags.Var(&p.exchange, "exchange", `only messages to this exchange; "" is the default one`)
	flags.Var(&p.routingKey, "routing-key", "only messages with this routing key")
	flags.DurationVar(&p.olderThan, "older-than", 0, "only messages that have been parked for so long, for example 2h30m")
}

// filter checks the flags. possible are the states that the command can be asked for.
func (p *parkedFlags) filter(possible []outboxpg.ParkState) (outboxpg.ParkedFilter, error) {
	f := outboxpg.ParkedFilter{
		IDs: p.ids, Reasons: p.reasons, AggregateID: p.key.value, Type: p.kind.value,
		Exchange: p.exchange.value, RoutingKey: p.routingKey.value, OlderThan: p.olderThan,
	}
	for _, s := range p.states {
		state := outboxpg.ParkState(s)
		if !slices.Contains(possible, state) {
			return f, cli.Usagef("--state %q is none of %v", s, possible)
		}
		f.States = append(f.States, state)
	}
	for _, r := range p.reasons {
		if !slices.Contains(reasons, r) {
			return f, cli.Usagef("--reason %q is none of %v", r, reasons)
		}
	}
	if p.olderThan < 0 {
		return f, cli.Usagef("--older-than is %v, want a positive duration", p.olderThan)
	}
	return f, nil
}

// narrowed says whether any flag chooses among the messages of a database.
func narrowed(cmd *cobra.Command) bool {
	return slices.ContainsFunc(
		[]string{"id", "state", "reason", "key", "type", "exchange", "routing-key", "older-than"}, cmd.Flags().Changed)
}

func databaseFlag(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVar(into, "database", "", "only this database, by the name that relay status shows")
}

// optionalText is a flag whose absence is not the empty text.
type optionalText struct{ value *string }

// Set implements the flag's interface, as the others do.
func (t *optionalText) Set(s string) error { t.value = &s; return nil }

func (t *optionalText) String() string {
	if t.value == nil {
		return ""
	}
	return *t.value
}

// Type is what help calls the value.
func (t *optionalText) Type() string { return "string" }
