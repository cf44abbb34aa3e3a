package relaycmd

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"go.example/saga/internal/app/relay"
	"go.example/saga/internal/cli"
	"go.example/saga/pkg/outbox/outboxpg"
)

func newParkedShow(o *options) *cobra.Command {
	var database string
	var payload, asJSON bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one parked message",
		Long: `Show everything that is known of one parked message: where it goes, its headers, what
the broker said, and what waits behind it. Its body is shown only with --payload,
because it may hold personal data: mind where the output goes.`,
		Example: `  relay parked show 4711
  relay parked show 4711 --payload --json | jq .payload`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("%s needs the message's id (see %s --help)", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return cli.Usagef("%q is not the id of a message: it has to be a number", args[0])
			}
			settings, err := o.settings()
			if err != nil {
				return err
			}
			return usage(relay.OneOutbox(cmd.Context(), settings, database, func(outbox relay.Outbox) error {
				detail, err := outbox.Log.ParkedDetail(cmd.Context(), id, payload)
				if errors.Is(err, outboxpg.ErrNotParked) {
					return cli.NotFoundf("message %d is not parked in database %s", id, outbox.Database)
				}
				if err != nil {
					return err
				}
				if asJSON {
					return cli.JSON(cmd.OutOrStdout(), detail)
				}
				return printDetail(cmd.OutOrStdout(), detail)
			}))
		},
	}
	databaseFlag(cmd, &database)
	cmd.Flags().BoolVar(&payload, "payload", false, "show the body, too; it may hold personal data")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// printDetail leaves out what the message has none of.
func printDetail(w io.Writer, d outboxpg.ParkedDetail) error {
	rows := [][]string{
		{"event id", d.EventID},
		{"state", string(d.State)},
		{"reason", d.Reason},
		{"error", cli.Line(d.Error)},
		{"attempts", fmt.Sprint(d.Attempts)},
		{"parked at", moment(d.ParkedAt)},
		{"tried at", optional(d.TriedAt)},
		{"next at", optional(d.NextAt)},
		{"note", cli.Line(d.Note)},
		{"waits for", optionalID(d.WaitsFor)},
		{"behind it", cli.Plural(d.Behind, "message") + " of its key"},
		{"type", d.Type},
		{"key", d.AggregateID},
		{"aggregate", d.AggregateType},
		{"destination", destination(d.Exchange, d.RoutingKey)},
		{"correlation id", d.CorrelationID},
		{"reply to", d.ReplyTo},
		{"created at", optional(d.CreatedAt)},
		{"deliver at", optional(d.DeliverAt)},
		{"content type", d.ContentType},
		{"payload", fmt.Sprintf("%d bytes", d.PayloadSize)},
	}
	for _, name := range slices.Sorted(maps.Keys(d.Headers)) {
		rows = append(rows, []string{"header " + cli.Line(name), cli.Line(d.Headers[name])})
	}
	rows = slices.DeleteFunc(rows, func(r []string) bool { return r[1] == "" })
	if err := cli.Table(w, []string{"message", fmt.Sprint(d.ID)}, rows); err != nil {
		return err
	}
	if d.Payload != nil {
		fmt.Fprintf(w, "\n%s\n", body(d.Payload))
	}
	return nil
}

// body is text as it is, and everything else as base64, which harms no terminal.
func body(payload []byte) string {
	text := string(payload)
	if !utf8.ValidString(text) || cli.Line(text) != strings.NewReplacer("\n", " ", "\t", " ").Replace(text) {
		return base64.StdEncoding.EncodeToString(payload)
	}
	return text
}

func optional(t *time.Time) string {
	if t == nil {
		return ""
	}
	return moment(*t)
}

func optionalID(id *int64) string {
	if id == nil {
		return ""
	}
	return fmt.Sprint(*id)
}
