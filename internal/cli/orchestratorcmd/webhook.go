package orchestratorcmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"go.example/saga/internal/app"
	"go.example/saga/internal/cli"
	"go.example/saga/pkg/webhook"
)

const webhookHelp = `Tell somebody outside when sagas end, by HTTP, as Standard Webhooks 1.0 has it.

A definition lists the names of its webhooks (webhooks: [shop]); a start may name more. The
relay of the database makes the calls, and repeats what is not answered 2xx: after 5 s, 5 and
30 min, 2, 5, 10, 14, 20 and 24 h. Then, and after 410 Gone, which disables the webhook, it
waits for ` + "`orchestrator webhook retry`" + `.`

func newWebhook(o *options) *cobra.Command {
	root := &cobra.Command{
		Use: "webhook", Short: "Tell somebody outside when sagas end", Long: webhookHelp,
		Example: "  orchestrator webhook add shop https://shop.example.com/sagas\n  orchestrator webhook list",
	}
	root.AddCommand(newWebhookAdd(o), newWebhookList(o), newWebhookLog(o), newWebhookTest(o), newWebhookRetry(o),
		newWebhookRotate(o), newWebhookDisable(o), newWebhookEnable(o), newWebhookRemove(o))
	return root
}

// withWebhooks runs work with the webhooks of the database.
func (o *options) withWebhooks(ctx context.Context, work func(*webhook.Store) error) error {
	settings, err := o.settings()
	if err != nil {
		return err
	}
	pool, err := app.OpenPool(ctx, settings.DatabaseAddress, "orchestrator-cli", 1)
	if err != nil {
		return cli.Usagef("%w", err)
	}
	defer pool.Close()
	err = work(webhook.In(pool, settings.DatabaseSchema))
	switch {
	case errors.Is(err, webhook.ErrUnknown):
		return cli.NotFoundf("%w", err)
	case errors.Is(err, webhook.ErrInvalid):
		return cli.Usagef("%w", err)
	case errors.Is(err, webhook.ErrExists):
		return cli.Refusedf("%w", err)
	}
	return err
}

func newWebhookAdd(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "add NAME URL", Short: "Add a webhook and print its key, once",
		Example: "  orchestrator webhook add shop https://shop.example.com/sagas",
		Args:    exactly(2, "the webhook's name and URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.withWebhooks(cmd.Context(), func(s *webhook.Store) error {
				key, err := s.Add(cmd.Context(), args[0], args[1])
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), key)
				return err
			})
		},
	}
}

func newWebhookRotate(o *options) *cobra.Command {
	var former time.Duration
	cmd := &cobra.Command{
		Use: "rotate NAME", Short: "Give a webhook a new key and print it, once",
		Long:    "Give a webhook a new key and print it, once. The former key signs too for a while, so that\nthe receiver can change over.",
		Example: "  orchestrator webhook rotate shop --former-for 24h",
		Args:    exactly(1, "the webhook's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if former <= 0 || former > 30*24*time.Hour {
				return cli.Usagef("--former-for is %v, want more than nothing and at most 720h", former)
			}
			return o.withWebhooks(cmd.Context(), func(s *webhook.Store) error {
				key, err := s.Rotate(cmd.Context(), args[0], former)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), key)
				return err
			})
		},
	}
	cmd.Flags().DurationVar(&former, "former-for", 24*time.Hour, "for how long the former key signs too")
	return cmd
}

func newWebhookList(o *options) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the webhooks, and what each was not told",
		Example: "  orchestrator webhook list\n  orchestrator webhook list --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.withWebhooks(cmd.Context(), func(s *webhook.Store) error {
				all, err := s.List(cmd.Context())
				if err != nil {
					return err
				}
				if asJSON {
					return cli.JSON(cmd.OutOrStdout(), orNone(all))
				}
				rows := make([][]string, len(all))
				for i, w := range all {
					rows[i] = []string{w.Name, w.URL, stateOf(w), fmt.Sprint(w.Waiting), fmt.Sprint(w.Dead), at(w.LastCall), last(w)}
				}
				return cli.Table(cmd.OutOrStdout(), []string{"NAME", "URL", "STATE", "WAITING", "DEAD", "LAST CALL", "ANSWER"}, rows)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func orNone[T any](all []T) []T {
	if all == nil {
		return []T{} // none is [], not null
	}
	return all
}

func stateOf(w webhook.Webhook) string {
	if w.DisabledWhy != nil {
		return "disabled: " + cli.Short(*w.DisabledWhy)
	}
	return "enabled"
}

func last(w webhook.Webhook) string {
	switch {
	case w.LastError != nil:
		return cli.Short(*w.LastError)
	case w.LastStatus != nil:
		return fmt.Sprint(*w.LastStatus)
	}
	return "-"
}

func at(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func newWebhookLog(o *options) *cobra.Command {
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use: "log [NAME]", Short: "List the last calls, the newest first",
		Example: "  orchestrator webhook log shop --limit 20",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 || limit > 10_000 {
				return cli.Usagef("--limit is %d, want 1 to 10000", limit)
			}
			return o.withWebhooks(cmd.Context(), func(s *webhook.Store) error {
				calls, err := s.Log(cmd.Context(), first(args), limit)
				if err != nil {
					return err
				}
				if asJSON {
					return cli.JSON(cmd.OutOrStdout(), orNone(calls))
				}
				rows := make([][]string, len(calls))
				for i, c := range calls {
					answer := "-"
					if c.Status != nil {
						answer = fmt.Sprint(*c.Status)
					}
					why := "-"
					if c.Error != nil {
						why = cli.Short(*c.Error)
					}
					rows[i] = []string{at(&c.At), c.Webhook, c.Type, fmt.Sprint(c.Attempt), answer, fmt.Sprint(c.TookMS) + " ms", c.EventID.String(), why}
				}
				return cli.Table(cmd.OutOrStdout(), []string{"AT", "WEBHOOK", "TYPE", "ATTEMPT", "ANSWER", "TOOK", "ID", "WHY"}, rows)
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "at most so many")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func newWebhookTest(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "test NAME", Short: "Tell a webhook something that no saga said",
		Long:    "Write a message of the type webhook.test for a webhook, which the relay carries like all\nothers; what came of it says `orchestrator webhook log`.",
		Example: "  orchestrator webhook test shop",
		Args:    exactly(1, "the webhook's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.withWebhooks(cmd.Context(), func(s *webhook.Store) error {
				id, err := s.Test(cmd.Context(), args[0], time.Now())
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "message %s is written; see `orchestrator webhook log %s`\n", id, args[0])
				return err
			})
		},
	}
}

func newWebhookRetry(o *options) *cobra.Command {
	var note string
	cmd := &cobra.Command{
		Use: "retry NAME", Short: "Call a webhook at once with all that it was not told",
		Example: "  orchestrator webhook retry shop --note 'their outage is over'",
		Args:    exactly(1, "the webhook's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.withWebhooks(cmd.Context(), func(s *webhook.Store) error {
				n, err := s.Retry(cmd.Context(), args[0], note)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s due now\n", cli.Plural(n, "message"))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&note, "note", "", "why, for those who look later")
	return cmd
}

func newWebhookDisable(o *options) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "disable NAME", Short: "Call a webhook no more; what it is to be told waits",
		Example: "  orchestrator webhook disable shop --reason 'moved'",
		Args:    exactly(1, "the webhook's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return cli.Usagef("say why with --reason")
			}
			return o.withWebhooks(cmd.Context(), func(s *webhook.Store) error { return s.Disable(cmd.Context(), args[0], reason) })
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	return cmd
}

func newWebhookEnable(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "enable NAME", Short: "Call a webhook again; `webhook retry` brings back what waits",
		Example: "  orchestrator webhook enable shop",
		Args:    exactly(1, "the webhook's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.withWebhooks(cmd.Context(), func(s *webhook.Store) error { return s.Enable(cmd.Context(), args[0]) })
		},
	}
}

func newWebhookRemove(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Forget a webhook and its keys",
		Example: "  orchestrator webhook remove shop",
		Args:    exactly(1, "the webhook's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.withWebhooks(cmd.Context(), func(s *webhook.Store) error { return s.Remove(cmd.Context(), args[0]) })
		},
	}
}
