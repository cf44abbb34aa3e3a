package quarantinecmd

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"go.example/saga/internal/cli"
	"go.example/saga/pkg/inbox/quarantine"
)

const maxListed = 10_000

func (c *command) list() *cobra.Command {
	return c.looks("list", "List the messages that were set aside, the newest first", func(cmd *cobra.Command, s *quarantine.Store, f quarantine.Filter, limit int, asJSON bool) error {
		found, err := s.List(cmd.Context(), f, limit)
		if err != nil || asJSON {
			return orJSON(cmd, found, err)
		}
		return printMessages(cmd.OutOrStdout(), found)
	})
}

func (c *command) groups() *cobra.Command {
	return c.looks("groups", "Count them by consumer and reason, the largest group first", func(cmd *cobra.Command, s *quarantine.Store, f quarantine.Filter, limit int, asJSON bool) error {
		found, err := s.Groups(cmd.Context(), f, limit)
		if err != nil || asJSON {
			return orJSON(cmd, found, err)
		}
		return printGroups(cmd.OutOrStdout(), found)
	})
}

// orJSON prints what was found; none is [], not null.
func orJSON[T any](cmd *cobra.Command, found []T, err error) error {
	if err != nil {
		return err
	}
	return cli.JSON(cmd.OutOrStdout(), append([]T{}, found...))
}

func (c *command) looks(
	use, short string, look func(cmd *cobra.Command, s *quarantine.Store, f quarantine.Filter, limit int, asJSON bool) error,
) *cobra.Command {
	var chosen choice
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		Long:    short + ". Those that were retried or discarded are left out unless --state names them.",
		Example: "  " + c.program + " quarantine " + use + "\n  " + c.program + " quarantine " + use + " --reason failing --older-than 1h --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := chosen.filter()
			if err != nil {
				return err
			}
			if limit < 1 || limit > maxListed {
				return cli.Usagef("--limit is %d, want 1 to %d", limit, maxListed)
			}
			return c.withStore(cmd.Context(), func(s *quarantine.Store, _ Target) error { return look(cmd, s, filter, limit, asJSON) })
		},
	}
	chosen.register(cmd)
	chosen.registerStates(cmd)
	cmd.Flags().IntVar(&limit, "limit", 50, "at most so many")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printMessages(w io.Writer, found []quarantine.Message) error {
	if len(found) == 0 {
		fmt.Fprintln(w, "No message that was set aside matches.")
		return nil
	}
	var rows [][]string
	for _, m := range found {
		rows = append(rows, []string{
			fmt.Sprint(m.ID), string(m.State), m.Consumer, string(m.Code), moment(m.ReceivedAt), fmt.Sprint(m.Tries), next(m), cli.Line(m.MessageID), cli.Short(m.Reason),
		})
	}
	return cli.Table(w, []string{"ID", "STATE", "CONSUMER", "REASON", "SET ASIDE", "TRIES", "NEXT", "MESSAGE", "WHY"}, rows)
}

func printGroups(w io.Writer, found []quarantine.Group) error {
	if len(found) == 0 {
		fmt.Fprintln(w, "No message that was set aside matches.")
		return nil
	}
	var rows [][]string
	for _, g := range found {
		rows = append(rows, []string{fmt.Sprint(g.Messages), string(g.State), g.Consumer, string(g.Code), moment(g.Oldest), moment(g.Newest), cli.Short(g.Reason)})
	}
	return cli.Table(w, []string{"MESSAGES", "STATE", "CONSUMER", "REASON", "OLDEST", "NEWEST", "WHY"}, rows)
}

func (c *command) show() *cobra.Command {
	var body, asJSON bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one message that was set aside",
		Long: `Show all that is kept of one message: why it was set aside, its properties and its headers
with their types. Its body is shown only with --body, because it may hold personal data:
mind where the output goes.`,
		Example: "  " + c.program + " quarantine show 4711\n  " + c.program + " quarantine show 4711 --body --json | jq -r .body | base64 -d",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := messageID(cmd, args)
			if err != nil {
				return err
			}
			return c.withStore(cmd.Context(), func(s *quarantine.Store, _ Target) error {
				detail, err := s.Show(cmd.Context(), id, body)
				switch {
				case errors.Is(err, quarantine.ErrNone):
					return cli.NotFoundf("%w", err)
				case err != nil:
					return err
				case asJSON:
					return cli.JSON(cmd.OutOrStdout(), detail)
				}
				return printDetail(cmd.OutOrStdout(), detail)
			})
		},
	}
	cmd.Flags().BoolVar(&body, "body", false, "show the body, too; it may hold personal data")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON; the body is base64")
	return cmd
}

// printDetail leaves out what the message has none of.
func printDetail(w io.Writer, d quarantine.Detail) error {
	handled := ""
	if d.HandledAt != nil {
		handled = moment(*d.HandledAt) + " by " + cli.Line(d.HandledBy)
	}
	rows := [][]string{
		{"state", string(d.State)},
		{"handled", handled},
		{"note", cli.Line(d.Note)},
		{"consumer", d.Consumer},
		{"queue", cli.Line(d.Queue)},
		{"reason", string(d.Code)},
		{"why", cli.Line(d.Reason)},
		{"set aside", moment(d.ReceivedAt)},
		{"last time", moment(d.LastReceivedAt)},
		{"times", fmt.Sprint(d.Deliveries)},
		{"tries", fmt.Sprint(d.Tries)},
		{"next try", next(d.Message)},
		{"message id", cli.Line(d.MessageID)},
		{"type", cli.Line(d.Type)},
		{"exchange", cli.Line(d.Exchange)},
		{"routing key", cli.Line(d.RoutingKey)},
		{"properties", cli.Line(string(d.Properties))},
		{"headers", cli.Line(string(d.Headers))},
		{"body", fmt.Sprintf("%d bytes", d.BodySize)},
	}
	rows = slices.DeleteFunc(rows, func(r []string) bool { return r[1] == "" })
	if err := cli.Table(w, []string{"message", fmt.Sprint(d.ID)}, rows); err != nil {
		return err
	}
	if d.Body != nil {
		fmt.Fprintf(w, "\n%s\n", readable(d.Body))
	}
	return nil
}

// readable is text as it is, and everything else as base64, which harms no terminal.
func readable(body []byte) string {
	text := string(body)
	if !utf8.ValidString(text) || cli.Line(text) != strings.NewReplacer("\n", " ", "\t", " ").Replace(text) {
		return base64.StdEncoding.EncodeToString(body)
	}
	return text
}

// next is when the message is tried again by itself.
func next(m quarantine.Message) string {
	switch {
	case m.RetryAt != nil:
		return moment(*m.RetryAt)
	case m.State == quarantine.Dead:
		return "never by itself"
	}
	return ""
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }
