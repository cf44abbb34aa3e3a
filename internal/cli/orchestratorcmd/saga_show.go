package orchestratorcmd

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"go.example/saga/internal/app/redact"
	"go.example/saga/internal/cli"
	"go.example/saga/pkg/inbox/quarantine"
	engine "go.example/saga/pkg/saga/orchestrator"
	"go.example/saga/pkg/saga/sagapg"
)

func newSagaShow(o *options) *cobra.Command {
	var key string
	var events int
	var reveal, asJSON bool
	cmd := &cobra.Command{
		Use:   "show [ID]",
		Short: "Show one saga and its history",
		Long: `Show one saga and its history. An arrow leads to the command that was sent, or to
the saga's new status; brackets hold what was recorded without effect.
The reason of an answer failed or retry follows it, with its type in parentheses.

WAITS FOR lists what is open, since when and until when: the answer to a command, a pause
before it is sent again, the relay to publish it, a message that the relay has parked, the
participant's queue to exist, a consumer of it, the broker to be asked about that, a delay,
a signal, an operator's decision or resume, and the deadline.

SET ASIDE lists the messages about the saga that the orchestrator's own consumers have set
aside: held, dead or discarded, the newest 20. What a participant has set aside is in the participant's database:
ask there with quarantine list --saga ID.

In payload and outputs, [redacted] stands for values whose names look like secrets
or card data (token, password, card, iban, pan and the like). --reveal shows them:
mind where the output goes.`,
		Example: `  orchestrator saga show 0193c0de-0000-7000-8000-000000000001
  orchestrator saga show --key room-reservation/R-4711
  orchestrator saga show 0193c0de-0000-7000-8000-000000000001 --json | jq .payload
  orchestrator saga show 0193c0de-0000-7000-8000-000000000001 --json | jq .setAside`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 || (len(args) == 1) == (key != "") {
				return cli.Usagef("%s needs the saga's id, or --key TYPE/KEY (see %s --help)", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if events < 1 || events > sagapg.MaxEvents {
				return cli.Usagef("--events is %d, want 1 to %d", events, sagapg.MaxEvents)
			}
			return o.withEngine(cmd, func(e *engine.Engine) error {
				story, err := readStory(cmd, e, args, key, events)
				if err != nil {
					return err
				}
				if !reveal {
					if err := hide(&story); err != nil {
						return err
					}
				}
				if asJSON {
					return cli.JSON(cmd.OutOrStdout(), story)
				}
				return printStory(cmd.OutOrStdout(), story)
			})
		},
	}
	keyFlag(cmd, &key)
	cmd.Flags().IntVar(&events, "events", 500, "at most so many events, the latest")
	cmd.Flags().BoolVar(&reveal, "reveal", false, "show secrets and card data, too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func readStory(cmd *cobra.Command, e *engine.Engine, args []string, key string, events int) (engine.Story, error) {
	id, err := one(cmd.Context(), e, args, key)
	if err != nil {
		return engine.Story{}, err
	}
	return e.Show(cmd.Context(), id, events)
}

// hide redacts what the saga carries.
func hide(s *engine.Story) (err error) {
	if s.Payload, err = redact.JSON(s.Payload); err != nil {
		return fmt.Errorf("payload of saga %s: %w", s.ID, err)
	}
	if s.Outputs, err = redact.JSON(s.Outputs); err != nil {
		return fmt.Errorf("outputs of saga %s: %w", s.ID, err)
	}
	return nil
}

func printStory(w io.Writer, s engine.Story) error {
	rows := [][]string{
		{"type", fmt.Sprintf("%s version %d", s.Type, s.DefinitionVersion)},
		{"key", text(s.BusinessKey)},
		{"status", fmt.Sprintf("%s, %s after the start", s.Status, age(s.AgeSeconds))},
		{"steps", s.Steps},
	}
	if s.StandsStill != "" {
		rows = append(rows, []string{"stands still", cli.Line(s.StandsStill)})
	} else if s.NextWake != nil {
		rows = append(rows, []string{"next wake", second(s.NextWake)})
	}
	if s.Reason != nil {
		rows = append(rows, []string{"reason", cli.Line(*s.Reason)})
	}
	rows = append(rows, []string{"payload", string(s.Payload)}, []string{"outputs", string(s.Outputs)})
	if err := cli.Table(w, []string{"saga", s.ID}, rows); err != nil {
		return err
	}
	for _, part := range []func(io.Writer, engine.Story) error{printWaits, printSetAside, printTimeline} {
		if err := part(w, s); err != nil {
			return err
		}
	}
	return nil
}

func printWaits(w io.Writer, s engine.Story) error {
	if len(s.Waits) == 0 {
		return nil
	}
	rows := make([][]string, len(s.Waits))
	for i, wait := range s.Waits {
		rows[i] = []string{wait.For, subject(wait), second(wait.Since), second(wait.Until), cli.Line(wait.Why)}
	}
	fmt.Fprintln(w)
	return cli.Table(w, []string{"WAITS FOR", "STEP", "SINCE", "UNTIL", "WHY"}, rows)
}

// subject is the step that waits, with what it has asked for.
func subject(w sagapg.Waiting) string {
	switch {
	case w.Step == "":
		return "-"
	case w.Operation == "":
		return w.Step
	}
	return fmt.Sprintf("%s %s, attempt %d", w.Operation, w.Step, w.Attempt)
}

func printSetAside(w io.Writer, s engine.Story) error {
	aside := s.SetAside
	if aside.Unknown != "" {
		_, err := fmt.Fprintf(w, "\nWhat was set aside is not known: %s\n", cli.Line(aside.Unknown))
		return err
	}
	if len(aside.Messages) == 0 {
		return nil
	}
	var rows [][]string
	for _, m := range aside.Messages {
		rows = append(rows, []string{
			fmt.Sprint(m.ID), string(m.State), m.Consumer, string(m.Code), second(&m.ReceivedAt), fmt.Sprint(m.Tries), nextTry(m), cli.Line(m.Type), cli.Line(m.Reason + given(m)),
		})
	}
	fmt.Fprintln(w)
	if err := cli.Table(w, []string{"SET ASIDE", "STATE", "CONSUMER", "REASON", "SINCE", "TRIES", "NEXT", "MESSAGE", "WHY"}, rows); err != nil {
		return err
	}
	if more := aside.Total - int64(len(rows)); more > 0 {
		fmt.Fprintf(w, "… and %d more: orchestrator quarantine list --saga %s --state held,dead,discarded\n", more, s.ID)
	}
	first := aside.Messages[0]
	fmt.Fprintf(w, "See one with: orchestrator quarantine show %d", first.ID)
	if first.State != quarantine.Discarded {
		fmt.Fprintf(w, "; put it back with: orchestrator quarantine retry --id %d", first.ID)
	}
	_, err := fmt.Fprintln(w)
	return err
}

// nextTry is when the message is tried again by itself, or who gave it up.
func nextTry(m quarantine.Message) string {
	switch {
	case m.RetryAt != nil:
		return second(m.RetryAt)
	case m.State == quarantine.Discarded:
		return "never, by " + cli.Line(m.HandledBy)
	}
	return "never by itself"
}

// given is why a message was given up, where somebody has said so.
func given(m quarantine.Message) string {
	if m.State != quarantine.Discarded || m.Note == "" {
		return ""
	}
	return "; given up: " + m.Note
}

func printTimeline(w io.Writer, s engine.Story) error {
	fmt.Fprintln(w)
	if s.Earlier > 0 {
		fmt.Fprintf(w, "%d earlier events are left out: --events shows more\n", s.Earlier)
	}
	moments := make([][]string, len(s.Timeline))
	for i, m := range s.Timeline {
		moments[i] = []string{
			fmt.Sprint(m.Seq), m.At.UTC().Format("2006-01-02 15:04:05.000Z"), fmt.Sprintf("+%.1f ms", m.ElapsedMS), cli.Line(m.Sentence),
		}
	}
	return cli.Table(w, []string{"#", "AT", "ELAPSED", "WHAT"}, moments)
}

// second is a time to the second.
func second(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}
