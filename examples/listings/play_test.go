package listings

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagayaml"
)

// answers are what participants say to commands, by step and operation. What is not said is a
// yes, and silence says that none ever comes.
type answers map[string]saga.Outcome

const silence = ""

// play plays a saga of the definition with the project's own rules, which need neither
// database nor broker, and prints each command and each end.
func play(definition string, says answers) {
	def, err := sagayaml.Parse([]byte(definition))
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	step, err := saga.Start(def, saga.StartParams{ID: saga.ID(uuid.New()), Payload: jsonmap.JSONMap{}}, now)
	if err != nil {
		fmt.Println(err)
		return
	}
	replies := printed(step, says)
	for !step.Next.Status.Terminal() && step.Next.Status != saga.StatusParked {
		var event saga.Event = saga.Timer{}
		if len(replies) > 0 {
			event, replies = replies[0], replies[1:]
		} else {
			now = step.Next.WakeAt() // nobody answers any more: time passes
		}
		step = saga.Step(def, step.Next, event, now)
		replies = append(replies, printed(step, says)...)
	}
}

// printed prints what is sent and told, and returns the answers that come.
func printed(step saga.Transition, says answers) (replies []saga.Event) {
	for _, effect := range step.Effects {
		switch e := effect.(type) {
		case saga.EmitEvent:
			fmt.Println(e.Kind)
		case saga.SendCommand:
			outcome, said := says[fmt.Sprint(e.Operation, " ", e.Step)]
			if !said {
				outcome = map[saga.Operation]saga.Outcome{
					saga.Request: saga.OutcomeSucceeded, saga.Confirm: saga.OutcomeConfirmed, saga.Cancel: saga.OutcomeCompensated,
				}[e.Operation]
			}
			if outcome == silence {
				fmt.Println(e.Operation, e.Step, "→ no answer")
				continue
			}
			fmt.Println(e.Operation, e.Step, "→", outcome)
			replies = append(replies, saga.Reply{Step: e.Step, Operation: e.Operation, Outcome: outcome, Attempt: e.Attempt})
		}
	}
	return replies
}
