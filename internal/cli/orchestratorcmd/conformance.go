package orchestratorcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"go.example/saga/internal/app"
	"go.example/saga/internal/app/orchestrator"
	"go.example/saga/internal/cli"
	"go.example/saga/internal/config"
	"go.example/saga/internal/conformance"
	"go.example/saga/internal/conformance/run"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/protocol"
	sagasql "go.example/saga/sql"
)

// conformanceArgs are the flags.
type conformanceArgs struct {
	destination, url, step  string
	payload, refusedPayload string
	tcc, withoutCancel      bool
	restart                 string
	only                    []string
	timeout                 time.Duration
	json                    bool
}

func newConformance(o *options) *cobra.Command {
	var a conformanceArgs
	cmd := &cobra.Command{
		Use:   "conformance {--destination SERVICE | --url URL} --step STEP",
		Short: "Check a participant, in whatever language, against the protocol",
		Long: `Play the orchestrator for one step of a participant that runs, by the broker or by
HTTP, and check what docs/protocol.md demands of it: commands that come twice, late,
at the same time or after their CANCEL, that break a rule, or that nobody knows.
Sagas and the queue of the answers are its own; it needs no database. For a test
environment: the participant carries its work out for a few dozen sagas, which are
cancelled at the end, and keeps their rows in its barrier. What breaks a rule goes to
its dead letters (in Go: its quarantine). The report says what stays.

Checks: ` + strings.Join(checkNames(), ", ") + `.

Exit codes: 0 all checks hold, 1 some do not or could not be made, 2 wrong arguments.`,
		Example: `  orchestrator conformance --destination payment --step payment --payload ok.json --refused-payload no.json
  orchestrator conformance --url http://127.0.0.1:8080/commands --step payment --payload ok.json --json
  orchestrator conformance --destination hotel --step hotel --payload ok.json --tcc --restart ./restart-hotel.sh`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd, o) },
	}
	f := cmd.Flags()
	f.StringVar(&a.destination, "destination", "", "the participant's `service`: commands go by the broker of AMQP_URL")
	f.StringVar(&a.url, "url", "", "where to call the participant by HTTP instead")
	f.StringVar(&a.step, "step", "", "the `step` that is checked")
	f.StringVar(&a.payload, "payload", "", "`file` with the JSON payload of a command that succeeds; {} without")
	f.StringVar(&a.refusedPayload, "refused-payload", "", "`file` with one that is refused, for the checks of refusals")
	f.BoolVar(&a.tcc, "tcc", false, "the step has a CONFIRM: check that too")
	f.BoolVar(&a.withoutCancel, "without-cancel", false, "the step has no CANCEL (a pivot, or retriable): leave its checks out; nothing is taken back then")
	f.StringVar(&a.restart, "restart", "", "shell `command` that kills the participant with kill -9, starts it and returns; run among a hundred commands")
	f.StringSliceVar(&a.only, "only", nil, "make these `checks` alone, after the first one")
	f.DurationVar(&a.timeout, "timeout", 30*time.Second, "how long to wait for answers to what was sent together")
	f.BoolVar(&a.json, "json", false, "print JSON")
	_ = cmd.MarkFlagRequired("step") // fails for a flag that there is not
	return cmd
}

func checkNames() (names []string) {
	for _, c := range conformance.Checks() {
		names = append(names, c.Name)
	}
	return append(names, conformance.Replies.Name)
}

func (a *conformanceArgs) run(cmd *cobra.Command, o *options) error {
	subject, err := a.subject()
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	progress := func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), text) }
	r := run.Runner{
		Subject: subject, Service: "conformance-" + uuid.NewString()[:8], Timeout: a.timeout, Only: a.only, Progress: progress,
		Restart: func(ctx context.Context) error { return shell(ctx, a.restart) },
	}
	var report run.Report
	if a.url != "" {
		report, err = a.byHTTP(ctx, r)
	} else {
		report, err = a.byBroker(ctx, r, o)
	}
	if err != nil {
		return err
	}
	if a.json {
		err = cli.JSON(cmd.OutOrStdout(), report)
	} else {
		err = a.print(cmd.OutOrStdout(), report)
	}
	if err == nil && !report.Holds {
		err = fmt.Errorf("%d of %d checks do not hold", report.Failed(), len(report.Checks))
	}
	return err
}

// subject judges the flags and reads the files.
func (a *conformanceArgs) subject() (s conformance.Subject, err error) {
	s = conformance.Subject{
		Destination: a.destination, URL: a.url, Step: a.step, Payload: jsonmap.JSONMap{},
		Has: conformance.Needs{Confirm: a.tcc, Cancel: !a.withoutCancel, Refusal: a.refusedPayload != "", Restart: a.restart != ""},
	}
	if (a.destination == "") == (a.url == "") {
		return s, cli.Usagef("say either --destination, the participant's service, or --url, where it is called")
	}
	if a.destination != "" {
		if err := sagasql.CheckServiceName(a.destination); err != nil {
			return s, cli.Usagef("--destination: %w", err)
		}
	}
	if u, err := url.Parse(a.url); a.url != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return s, cli.Usagef("--url is not like https://pay.example.com/commands")
	}
	if a.step == "" || len(a.step) > 100 || strings.Contains(a.step, "/") {
		return s, cli.Usagef("--step is %q, want the name of a step", a.step)
	}
	if a.timeout <= 0 {
		return s, cli.Usagef("--timeout is %s, want more than 0", a.timeout)
	}
	for _, name := range a.only {
		if !slices.Contains(checkNames(), name) {
			return s, cli.Usagef("--only: there is no check %q; there are %s", name, strings.Join(checkNames(), ", "))
		}
	}
	if a.payload != "" {
		if s.Payload, err = payloadFile(a.payload); err != nil {
			return s, cli.Usagef("--payload: %w", err)
		}
	}
	if a.refusedPayload != "" {
		if s.Refused, err = payloadFile(a.refusedPayload); err != nil {
			return s, cli.Usagef("--refused-payload: %w", err)
		}
	}
	return s, nil
}

func payloadFile(file string) (jsonmap.JSONMap, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	payload, err := jsonmap.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if err := protocol.Fits(payload, nil); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return payload, nil
}

func (a *conformanceArgs) byHTTP(ctx context.Context, r run.Runner) (run.Report, error) {
	carrier := run.NewHTTP(a.url)
	defer carrier.Close()
	r.Carrier = carrier
	return r.Run(ctx)
}

// brokerSettings are the orchestrator's, of which no more than the broker is needed.
type brokerSettings struct{ orchestrator.Settings }

// Validate implements [config.Validator].
func (s *brokerSettings) Validate() error { return app.CheckBroker(s.Broker) }

func (a *conformanceArgs) byBroker(ctx context.Context, r run.Runner, o *options) (report run.Report, err error) {
	settings := brokerSettings{orchestrator.DefaultSettings()}
	if err := config.Load(o.config, &settings); err != nil {
		return report, cli.Usagef("%w", err)
	}
	if err := settings.RequireBroker(); err != nil {
		return report, cli.Usagef("%w", err)
	}
	carrier, err := run.OpenBroker(ctx, app.Broker(settings.Broker, "orchestrator conformance"), r.Service, a.destination, a.timeout, r.Progress)
	if err != nil {
		return report, err
	}
	r.Carrier = carrier
	report, err = r.Run(ctx)
	if err != nil {
		err = fmt.Errorf("%w (the queue %s stays for late answers, and the broker deletes it in ten minutes)", err, protocol.ReplyQueue(r.Service))
	} else if report.Unanswered {
		report.Queue = protocol.ReplyQueue(r.Service)
	}
	return report, errors.Join(err, carrier.Close(err != nil || report.Unanswered))
}

// shell runs the user's command. What it starts may outlive it, and keeps the streams.
func shell(ctx context.Context, text string) error {
	command := exec.CommandContext(ctx, "sh", "-c", text) // #nosec G204 -- it is the caller's own
	command.Stdout, command.Stderr = os.Stderr, os.Stderr
	return command.Run()
}

func (a *conformanceArgs) print(w io.Writer, report run.Report) error {
	var rows [][]string
	for _, c := range report.Checks {
		rows = append(rows, []string{c.Check, c.Result, c.Expected, c.Came, c.Rule})
	}
	if err := cli.Table(w, []string{"CHECK", "RESULT", "EXPECTED", "CAME", "RULE"}, rows); err != nil {
		return err
	}
	if len(report.Sagas) > 0 {
		fmt.Fprintf(w, "\nWhat stays at the participant: its barrier's rows of %d sagas, between %s and %s", len(report.Sagas), report.Sagas[0], report.Sagas[len(report.Sagas)-1])
		fmt.Fprintf(w, "; the work of %d of them, which was confirmed or not taken back", len(report.Standing))
		fmt.Fprintf(w, "; %d messages that are no commands, in its dead letters or its quarantine.\n", report.Unreadable)
	}
	if report.Queue != "" {
		fmt.Fprintf(w, "Not all commands were answered: the queue %s stays for late answers, and the broker deletes it in ten minutes.\n", report.Queue)
	}
	return nil
}
