package demo

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
)

const (
	held, released = "ACTIVE", "RELEASED" // a booking of the hotel's
	price          = 49900
)

// tcc reserves at two services, and makes it last when both have.
func tcc() scene {
	return scene{
		definition: "stay-tcc.yaml",
		extra: &extra{
			step: "card", requested: "authorised", confirmed: "taken", cancelled: "let go",
			refuse: func(payload jsonmap.JSONMap) *saga.Problem {
				if last, _ := payload.GetString("/cardLast4"); last == "9999" {
					return &saga.Problem{Type: "urn:problem:card:declined", Title: "Card declined", Detail: "card declined"}
				}
				return nil
			},
		},
		acts: []*act{
			{name: "ada", story: "the room is open, the card is good", status: saga.StatusCompleted, want: effects{room: held, extra: "taken"}},
			{name: "bob", story: "the card will be declined", card: "9999", status: saga.StatusAborted, want: effects{room: released}},
			{name: "cyd", story: "room 2 is closed", room: 2, status: saga.StatusAborted, want: effects{extra: "let go"}},
		},
		moral: "where both could be reserved both were confirmed, else what was reserved was let go, and no amount was ever taken and given back.",
	}
}

// parallel asks two services side by side.
func parallel() scene {
	return scene{
		definition: "stay-parallel.yaml",
		extra: &extra{
			step: "parking", requested: "reserved", cancelled: "given back",
			refuse: func(payload jsonmap.JSONMap) *saga.Problem {
				if cars, known := payload.GetInt64("/cars"); !known || cars > 2 {
					return &saga.Problem{Type: "urn:problem:parking:full", Title: "No place", Detail: "there are two places a guest"}
				}
				return nil
			},
		},
		acts: []*act{
			{
				name: "ada", story: "two cars, room and card are good", payload: jsonmap.JSONMap{"cars": 2},
				status: saga.StatusCompleted, want: effects{room: held, paid: price, extra: "reserved"},
			},
			{
				name: "bob", story: "three cars: the parking refuses, the hotel does not", payload: jsonmap.JSONMap{"cars": 3},
				status: saga.StatusAborted, want: effects{room: released},
			},
			{
				name: "cyd", story: "the card will be declined when both are booked", payload: jsonmap.JSONMap{"cars": 1}, card: "9999",
				status: saga.StatusAborted, want: effects{room: released, extra: "given back"},
			},
		},
		moral: "both services were asked in one transaction; whichever answered first, the payment came after both, and a no of one undid the other.",
	}
}

// pointToPoint calls a step by HTTP, which is carried out each time and answered two times of three.
func pointToPoint() scene {
	s := parallel()
	s.definition, s.byHTTP = "stay-http.yaml", true
	s.acts[1].story, s.acts[1].want = "three cars: the parking refuses", effects{room: released}
	s.acts[2].story = "the card will be declined when room and place are booked"
	s.moral = "the step by HTTP and those by the broker are one saga; each third call was carried out and not answered, and came again under the same key."
	return s
}

// webhooks tells whoever asked when the sagas end.
func webhooks() scene {
	s := approvals()
	s.acts, s.told = s.acts[:2], true
	s.moral = "each end was told, and what was not taken at first came again under the same webhook-id."
	return s
}

// delays lets time pass in a saga, and gives a service too little of it.
func delays() scene {
	return scene{
		definition: "stay-delays.yaml",
		extra: &extra{
			step: "spa", requested: "booked", cancelled: "cancelled",
			slow: func(payload jsonmap.JSONMap) time.Duration {
				seconds, _ := payload.GetInt64("/spaTakes")
				return time.Duration(seconds) * time.Second
			},
		},
		acts: []*act{
			{
				name: "ada", payload: jsonmap.JSONMap{"spaTakes": 0}, story: "waits the cooling-off out, and the orchestrator is killed meanwhile", at: "cooling-off", do: killTheOrchestrator,
				status: saga.StatusCompleted, want: effects{room: held, paid: price, extra: "booked"},
			},
			{
				name: "bob", payload: jsonmap.JSONMap{"spaTakes": 0}, story: "changes his mind in that time", at: "cooling-off", do: changeOfMind,
				status: saga.StatusAborted, want: effects{room: released, extra: "cancelled"},
			},
			{
				name: "cyd", story: "the spa takes 8 s, and the definition gives it 4", payload: jsonmap.JSONMap{"spaTakes": 8},
				status: saga.StatusAborted, want: effects{room: released, extra: "cancelled"},
			},
		},
		moral: "the delay outlived its orchestrator; who went back during it was not charged; and the success that came too late was undone.",
	}
}

func killTheOrchestrator(ctx context.Context, p *performance, _ *act) error {
	fmt.Fprintln(p.tale.out, "  ==> the orchestrator is killed with SIGKILL and started again: the delay is a row, and no timer in its memory")
	return p.daemons.Restart(ctx, "orchestrator")
}

// changeOfMind is an operator's command; a program would do it by HTTP.
func changeOfMind(ctx context.Context, p *performance, a *act) error {
	args := []string{"saga", "abort", "--key", p.def.Name + "/" + a.key, "--reason", "changed his mind"}
	fmt.Fprintf(p.tale.out, "  ==> orchestrator saga abort --key %s/%s --reason 'changed his mind'\n", p.def.Name, a.key)
	cmd := exec.CommandContext(ctx, filepath.Join(p.env.stack.BinDir, "orchestrator"), args...)
	cmd.Env = []string{"DATABASE_URL=" + p.env.stack.Reservation, "SERVICE=" + service}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("orchestrator saga abort: %w\n%s", err, out)
	}
	return nil
}

// approvals has a person between the room and the money.
func approvals() scene {
	return scene{
		definition: "stay-approval.yaml",
		acts: []*act{
			{
				name: "ada", story: "grace says yes", at: "approval", do: answer(`{"by": "grace"}`, false, ""),
				status: saga.StatusCompleted, want: effects{room: held, paid: price},
			},
			{
				name: "bob", story: "grace says no", at: "approval", do: answer(`{}`, true, "too dear"),
				status: saga.StatusAborted, want: effects{room: released},
			},
			{name: "cyd", story: "nobody answers within 8 s", status: saga.StatusAborted, want: effects{room: released}},
		},
		moral: "a yes goes on, a no and a silence go back, and nobody who was not approved was charged.",
	}
}

// answer signals in SQL, as a service does in a transaction of its own.
func answer(output string, refused bool, reason string) func(context.Context, *performance, *act) error {
	return func(ctx context.Context, p *performance, a *act) error {
		fmt.Fprintf(p.tale.out, "  ==> SELECT saga_signal('%s', '%s', '%s', output => '%s', refused => %t, reason => '%s', who => 'grace')\n",
			p.def.Name, a.key, a.at, output, refused, reason)
		_, err := p.tale.conn.Exec(ctx, `SELECT public.saga_signal($1, $2, $3, output => $4::jsonb, refused => $5, reason => $6, who => 'grace')`,
			p.def.Name, a.key, a.at, output, refused, reason)
		if err != nil {
			return fmt.Errorf("signal the saga of %s: %w", a.name, err)
		}
		return nil
	}
}
