package orchestrator

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// What the core is told of a queue, look by look.
func TestWhoTakesCommands(t *testing.T) {
	t.Parallel()
	gone := answer{err: errors.New("no broker")}
	missing := answer{state: &Queue{}}
	silent := answer{}
	is := func(messages, consumers int) answer {
		return answer{state: &Queue{Exists: true, Messages: messages, Consumers: consumers}}
	}
	epoch := time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)
	type look struct {
		answer answer
		held   string
		served int // the look at which its time begins; 0 for long ago
	}
	const away, noQueue, noBroker = "waits for a consumer of q", "waits for the queue q", "waits for the broker, which cannot be asked about q"
	for name, looks := range map[string][]look{
		"somebody is there":           {{is(0, 1), "", 0}, {is(0, 2), "", 0}, {is(0, 1), "", 0}},
		"it cannot be told":           {{silent, "", 0}, {silent, "", 0}},
		"away and back":               {{is(0, 0), away, 0}, {is(5, 0), away, 0}, {is(0, 1), "", 3}, {is(0, 1), "", 3}},
		"away again":                  {{is(0, 0), away, 0}, {is(0, 1), "", 2}, {is(0, 0), away, 0}, {is(0, 1), "", 4}},
		"missing and back":            {{missing, noQueue, 0}, {is(0, 0), away, 0}, {is(0, 1), "", 3}},
		"the broker is away":          {{is(0, 1), "", 0}, {gone, noBroker, 0}, {is(0, 1), "", 3}, {is(0, 1), "", 3}},
		"works off what has gathered": {{is(90, 0), away, 0}, {is(99, 1), "", 2}, {is(50, 1), "", 3}, {is(1, 1), "", 4}, {is(0, 1), "", 5}, {is(0, 1), "", 5}},
		"is never through":            {{is(90, 0), away, 0}, {is(99, 1), "", 2}, {is(50, 1), "", 3}, {is(50, 1), "", 4}, {is(60, 1), "", 4}, {is(60, 1), "", 4}},
		"a flood":                     {{is(0, 1), "", 0}, {is(20, 1), "", 2}, {is(15, 1), "", 3}, {is(0, 1), "", 3}, {is(1, 1), "", 5}, {is(0, 1), "", 5}},
		"always some":                 {{is(0, 1), "", 0}, {is(20, 1), "", 2}, {is(20, 1), "", 2}, {is(21, 1), "", 2}, {is(22, 1), "", 2}},
		"what was before is unknown":  {{is(90, 1), "", 1}, {is(20, 1), "", 2}, {is(0, 1), "", 3}, {is(0, 1), "", 3}},
	} {
		q := queues{log: zap.NewNop(), known: map[string]*service{"d": {}}}
		for i, l := range looks {
			q.known["d"].answer = &l.answer
			*q.known["d"] = q.known["d"].take("q", epoch.Add(time.Duration(i+1)*backlog))
			want := saga.Queue{Held: l.held}
			if l.served > 0 {
				want.Served = epoch.Add(time.Duration(l.served) * backlog)
			}
			require.Equal(t, want, q.known["d"].said, "%s, look %d", name, i+1)
		}
	}
}

// broker answers the engine's questions, and counts them.
type broker struct {
	state map[string]Queue
	err   error
	asked [][]string
}

func (b *broker) ask(_ context.Context, names []string) ([]Queue, error) {
	b.asked = append(b.asked, names)
	var found []Queue
	for _, name := range names {
		if q, ok := b.state[name]; ok {
			q.Name = name
			found = append(found, q)
		}
	}
	return found, b.err
}

// No attempt is spent and nothing is sent again while nobody consumes the queue. When
// somebody does again, the attempt has its whole time.
func TestNothingIsSentAgainWhileNobodyConsumes(t *testing.T) {
	b := setup(t)
	id := b.start(1)[0]
	const queue = "saga.command.hotel"
	br := &broker{state: map[string]Queue{queue: {Exists: true, Messages: 1}}}
	s := b.sweeper()
	s.queues.ask, s.timing.ask = br.ask, time.Minute
	b.look(s)
	require.Empty(t, br.asked, "no timer is due")

	expect := func(status, waits string, history int) {
		t.Helper()
		b.overdue()
		b.look(s)
		require.Equal(t, status, b.status(id))
		said, entries := b.held(id)
		require.Equal(t, waits, said)
		require.Equal(t, history, entries, "one entry where something changes")
	}
	const first, attempt = "STARTED REQUEST hotel 1", "REQUEST hotel, attempt 1"
	expect(first, attempt+", waits for a consumer of saga.command.hotel", 2)
	require.Equal(t, [][]string{{queue}}, br.asked)
	expect(first, attempt+", waits for a consumer of saga.command.hotel", 2)
	require.Len(t, br.asked, 1, "what the broker said is good for a while")
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga_stuck WHERE why = 'waits for a consumer of saga.command.hotel'`))

	require.Equal(t, map[sagapg.Wait]int{sagapg.WaitConsumer: 1}, b.waits())
	s.timing.ask = 0
	br.state[queue] = Queue{}
	expect(first, attempt+", waits for the queue saga.command.hotel", 3)
	require.Equal(t, map[sagapg.Wait]int{sagapg.WaitConsumer: 1}, b.waits())
	br.err = errors.New("no broker")
	expect(first, attempt+", waits for the broker, which cannot be asked about saga.command.hotel", 4)
	require.Equal(t, map[sagapg.Wait]int{sagapg.WaitBroker: 1}, b.waits())
	br.err = nil
	br.state[queue] = Queue{Exists: true, Consumers: 1}
	expect(first, attempt, 5)
	require.Empty(t, b.waits())
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga WHERE wake_at > now() + interval '50 minutes'`), "its hour runs from now")
	expect(first, attempt, 5)
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga WHERE wake_at > now() + interval '50 minutes'`), "and not from its publication")
	s.queues.known["hotel"].said.Served = time.Now().Add(-3 * time.Hour)
	expect("STARTED REQUEST hotel 2", "REQUEST hotel, attempt 2", 6)
	b.sound()
}

// The saga goes on with the answer, however long it was held; other sagas' timers fire.
func TestTheAnswerEndsTheWait(t *testing.T) {
	b := setup(t)
	id := b.start(1)[0]
	s := b.sweeper()
	br := &broker{state: map[string]Queue{"saga.command.hotel": {Exists: true}}}
	s.queues.ask = br.ask
	b.overdue()
	b.look(s)
	b.handle(b.answer(id, "hotel", saga.Request, saga.OutcomeSucceeded))
	require.Equal(t, "STARTED REQUEST flight 1", b.status(id))
	b.overdue()
	b.look(s)
	require.Equal(t, "STARTED REQUEST flight 2", b.status(id), "of its queue the broker does not speak")
	require.Equal(t, [][]string{{"saga.command.hotel"}, {"saga.command.flight"}}, br.asked)
	b.sound()
}

// Who is told to stop while the broker is asked decides nothing.
func TestNothingIsDecidedAtTheEnd(t *testing.T) {
	b := setup(t)
	id := b.start(1)[0]
	ctx, stop := context.WithCancel(b.ctx)
	s := b.sweeper()
	s.queues.ask = func(asking context.Context, _ []string) ([]Queue, error) {
		stop()
		<-asking.Done()
		return nil, asking.Err()
	}
	b.overdue()
	_, err := s.fire(ctx, nil)
	require.NoError(t, err)
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga_history`))
	require.Equal(t, "STARTED REQUEST hotel 1", b.status(id))
}
