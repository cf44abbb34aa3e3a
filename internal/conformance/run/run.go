package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"go.example/saga/internal/conformance"
	"go.example/saga/pkg/saga"
)

const (
	// tellEvery is how often the progress is told.
	tellEvery = 2 * time.Second
	// lookEvery is how often the runner looks for commands that are due again.
	lookEvery = 20 * time.Millisecond
	// firstAgain and longestAgain are the pauses before another attempt after "retry".
	firstAgain, longestAgain = 100 * time.Millisecond, 2 * time.Second
	// takenBack is the attempt of the CANCELs with which the runner clears up.
	takenBack = 1000
)

// Runner makes the checks of one participant.
type Runner struct {
	Subject conformance.Subject
	Carrier Carrier
	// Service is the runner's own, to whose queue the participant answers.
	Service string
	// Timeout is for how long an answer is waited for.
	Timeout time.Duration
	// Restart kills and restarts the participant, and returns when it has.
	Restart func(context.Context) error
	// Only are the names of the checks to make, of all if empty.
	Only []string
	// Progress is told what is waited for.
	Progress func(string)

	all    []*conformance.Sent
	strays []string
	report Report
	dead   string // why no more checks are made
	what   string // is being done
}

// Run makes all checks. An error says that they could not be made.
func (r *Runner) Run(ctx context.Context) (Report, error) {
	checks := conformance.Checks()
	made := make([][]*conformance.Sent, len(checks))
	results := make([]Result, len(checks))
	for i, c := range checks {
		results[i] = result(c, LeftOut, conformance.Verdict{}, 0)
		switch why := r.Subject.LeftOut(c); {
		case i > 0 && len(r.Only) > 0 && !slices.Contains(r.Only, c.Name):
			results[i].Came = "not among --only"
			continue
		case why != "":
			results[i].Came = why
			continue
		case r.dead != "":
			results[i].Result, results[i].Came = NotRun, r.dead
			continue
		}
		r.what = fmt.Sprintf("check %d of %d, %s", i+1, len(checks), c.Name)
		began := time.Now()
		sent, err := r.make(ctx, c)
		if err != nil {
			return Report{}, fmt.Errorf("%s: %w", r.what, err)
		}
		made[i], results[i].Seconds = sent, time.Since(began).Seconds()
		if i == 0 && !conformance.Judge(sent, r.Timeout).Holds {
			r.dead = "without the first check there is nothing to compare with: is the participant up, and the --payload one that succeeds?"
		}
	}
	// Answers may be late: what was sent is judged when all is over.
	for i, c := range checks {
		if made[i] != nil {
			results[i] = judged(c, conformance.Judge(made[i], r.Timeout), results[i].Seconds)
		}
	}
	r.report.Checks = append(results, judged(conformance.Replies, conformance.JudgeReplies(r.all, r.strays), 0))
	r.report.Holds = r.report.Failed() == 0
	for _, s := range r.all {
		r.report.Unanswered = r.report.Unanswered || s.Flaw == nil && len(s.Answers) < s.Copies
	}
	return r.report, nil
}

func judged(c conformance.Check, v conformance.Verdict, seconds float64) Result {
	outcome := Fails
	if v.Holds {
		outcome = Holds
	}
	made := result(c, outcome, v, 0)
	made.Seconds = seconds
	return made
}

// make sends the rounds of a check, until one is not answered.
func (r *Runner) make(ctx context.Context, c conformance.Check) (sent []*conformance.Sent, err error) {
	ids := map[int]saga.ID{}
	for i, round := range c.Rounds {
		var now []*conformance.Sent
		for _, command := range round {
			if command.Flaw != nil && command.Flaw.Broker && r.Carrier.Direct() {
				continue
			}
			if _, known := ids[command.Saga]; !known {
				ids[command.Saga] = saga.ID(uuid.Must(uuid.NewV7()))
				if command.Flaw == nil {
					r.report.Sagas = append(r.report.Sagas, uuid.UUID(ids[command.Saga]).String())
				}
			}
			s, err := r.prepare(ids[command.Saga], command)
			if err != nil {
				return nil, err
			}
			now = append(now, s)
			if command.Flaw != nil && !r.Carrier.Direct() { // by HTTP it is refused, and nothing stays
				r.report.Unreadable++
			}
		}
		sent = append(sent, now...)
		silent, err := r.round(ctx, now, c.Restart && i == 0)
		if err != nil {
			return nil, err
		}
		if silent {
			if err := r.probe(ctx); err != nil {
				return nil, err
			}
			break
		}
	}
	return sent, r.takeBack(ctx, sent)
}

func (r *Runner) prepare(id saga.ID, c conformance.Command) (*conformance.Sent, error) {
	m, err := r.Subject.Message(r.Service, id, c)
	return &conformance.Sent{Command: c, Saga: id, Message: m}, err
}

// probe finds out whether the participant answers anything.
func (r *Runner) probe(ctx context.Context) error {
	c := conformance.Checks()[0].Rounds[0][0]
	s, err := r.prepare(saga.ID(uuid.Must(uuid.NewV7())), c)
	if err != nil {
		return err
	}
	r.report.Sagas = append(r.report.Sagas, uuid.UUID(s.Saga).String())
	silent, err := r.round(ctx, []*conformance.Sent{s}, false)
	if silent {
		r.dead = "the participant answers nothing any more"
	}
	return errors.Join(err, r.takeBack(ctx, []*conformance.Sent{s}))
}

// takeBack cancels what was requested, and notes what stays.
func (r *Runner) takeBack(ctx context.Context, sent []*conformance.Sent) error {
	stands := map[saga.ID]bool{}
	done := map[saga.ID]bool{}
	var order []saga.ID
	for _, s := range sent {
		for _, a := range s.Decided() {
			switch {
			case a.Outcome == saga.OutcomeSucceeded && s.Flaw == nil && !stands[s.Saga]:
				stands[s.Saga] = true
				order = append(order, s.Saga)
			case a.Outcome == saga.OutcomeConfirmed:
				done[s.Saga] = true
			}
		}
	}
	cancels := map[saga.ID]*conformance.Sent{}
	var round []*conformance.Sent
	for _, id := range order {
		if done[id] || !r.Subject.Has.Cancel || r.dead != "" {
			continue
		}
		s, err := r.prepare(id, conformance.Command{
			Operation: saga.Cancel, Attempt: takenBack, Copies: 1, Want: []saga.Outcome{saga.OutcomeCompensated, saga.OutcomeFailed},
		})
		if err != nil {
			return err
		}
		cancels[id], round = s, append(round, s)
	}
	if _, err := r.round(ctx, round, false); err != nil {
		return err
	}
	for _, id := range order {
		s := cancels[id]
		if s == nil || len(s.Decided()) == 0 || s.Decided()[0].Outcome != saga.OutcomeCompensated {
			r.report.Standing = append(r.report.Standing, uuid.UUID(id).String())
		}
	}
	return nil
}
