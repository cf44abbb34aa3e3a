package participant_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/saga"
)

// arrival is one command, and what its handler would do if it ran.
type arrival struct {
	op        saga.Operation
	behaviour string
}

// model is what the barrier must make of the commands for one step: the table in the
// documentation of the package, written down a second time.
type model struct {
	state    string
	effects  []string
	outcomes []saga.Outcome
}

func (m *model) arrive(a arrival) {
	answers := map[string][3]saga.Outcome{ // to REQUEST, CONFIRM and CANCEL; "" where the handler runs
		"":            {"", "retry", "compensated"},
		"succeeded":   {"succeeded", "", ""},
		"failed":      {"failed", "failed", "compensated"},
		"cancelled":   {"failed", "failed", "compensated"},
		"confirmed":   {"succeeded", "confirmed", "failed"},
		"compensated": {"succeeded", "failed", "compensated"},
	}
	column := map[saga.Operation]int{"REQUEST": 0, "CONFIRM": 1, "CANCEL": 2}[a.op]
	outcome := answers[m.state][column]
	switch {
	case outcome != "" && m.state == "" && a.op == "CANCEL":
		m.state = "cancelled"
	case outcome != "":
	case a.behaviour == "":
		outcome = []saga.Outcome{"succeeded", "confirmed", "compensated"}[column]
		m.state = string(outcome)
		m.effects = append(m.effects, string(a.op))
	case a.behaviour == "refuse":
		outcome = "failed"
		if a.op == "REQUEST" {
			m.state = "failed"
		}
	default:
		outcome = "retry"
	}
	m.outcomes = append(m.outcomes, outcome)
}

// orders are all sequences of the arrivals up to a length.
func orders(arrivals []arrival, length int) (all [][]arrival) {
	last := [][]arrival{{}}
	for range length {
		var next [][]arrival
		for _, order := range last {
			for _, a := range arrivals {
				next = append(next, append(order[:len(order):len(order)], a))
			}
		}
		all, last = append(all, next...), next
	}
	return all
}

// everyOrder is each order of the operations up to four commands, and those with
// handlers that refuse or fail up to a length.
func everyOrder(fancyLength int) [][]arrival {
	var plain, fancy []arrival
	for _, op := range []saga.Operation{saga.Request, saga.Confirm, saga.Cancel} {
		plain = append(plain, arrival{op, ""})
		for _, behaviour := range []string{"", "refuse", "fail"} {
			fancy = append(fancy, arrival{op, behaviour})
		}
	}
	return append(orders(plain, 4), orders(fancy, fancyLength)...)
}

// check compares what became of each order with the model.
func (b *bench) check(ids []saga.ID, orders [][]arrival) {
	b.t.Helper()
	for i, order := range orders {
		var want model
		for _, a := range order {
			want.arrive(a)
		}
		var got []saga.Outcome
		for _, a := range b.answers(ids[i]) {
			got = append(got, a.Reply.Outcome)
		}
		require.Equal(b.t, want.outcomes, got, "%v", order)
		require.Equal(b.t, strings.Join(want.effects, " "), b.effects(ids[i]), "%v", order)
		require.Equal(b.t, want.state, b.state(ids[i]), "%v", order)
	}
}

// deliver hands the deliveries over in batches of at most a hundred.
func (b *bench) deliver(ds []inbox.Delivery) {
	for len(ds) > 0 {
		n := min(100, len(ds))
		rejections, err := b.handle(ds[:n]...)
		require.NoError(b.t, err)
		require.Empty(b.t, rejections)
		ds = ds[n:]
	}
}

// Each command in a transaction of its own, among those of other sagas.
func TestEveryOrderOfArrival(t *testing.T) {
	bothForms(t, func(t *testing.T, b *bench) {
		all := everyOrder(3)
		ids := make([]saga.ID, len(all))
		for i := range ids {
			ids[i] = newSaga()
		}
		for place := range 4 {
			var ds []inbox.Delivery
			for i, order := range all {
				if place < len(order) {
					ds = append(ds, command(ids[i], "work", order[place].op, place+1, order[place].behaviour))
				}
			}
			b.deliver(ds)
		}
		b.check(ids, all)
	})
}

// All commands of a step in one batch make no difference, nor does it that those of
// other sagas come in between.
func TestEveryOrderOfArrivalInOneBatch(t *testing.T) {
	bothForms(t, func(t *testing.T, b *bench) {
		all := everyOrder(3)
		ids := make([]saga.ID, len(all))
		for from := 0; from < len(all); from += 20 {
			var ds []inbox.Delivery
			for place := range 4 {
				for i := from; i < min(from+20, len(all)); i++ {
					if place == 0 {
						ids[i] = newSaga()
					}
					if place < len(all[i]) {
						ds = append(ds, command(ids[i], "work", all[i][place].op, place+1, all[i][place].behaviour))
					}
				}
			}
			b.deliver(ds)
		}
		b.check(ids, all)
	})
}

// REQUESTs whose steps nobody knows enter together, among others that come again.
func TestRequestsAmongKnownOnes(t *testing.T) {
	bothForms(t, func(t *testing.T, b *bench) {
		var all [][]arrival
		for _, before := range everyOrder(2) {
			for _, behaviour := range []string{"", "refuse", "fail"} {
				all = append(all, append(before[:len(before):len(before)], arrival{saga.Request, behaviour}), []arrival{{saga.Request, behaviour}})
			}
		}
		ids := make([]saga.ID, len(all))
		var before, requests []inbox.Delivery
		for i, order := range all {
			ids[i] = newSaga()
			for place, a := range order {
				d := command(ids[i], "work", a.op, place+1, a.behaviour)
				if place == len(order)-1 {
					requests = append(requests, d)
				} else {
					before = append(before, d)
				}
			}
		}
		b.deliver(before)
		b.deliver(requests)
		b.check(ids, all)
	})
}

// The functions are an interface of their own: participants in other languages call
// them as docs/protocol.md says.
func TestEveryOrderInPlainSQL(t *testing.T) {
	b := setUp(t)
	for _, order := range everyOrder(2) {
		var want model
		id := uuid.New()
		var got []saga.Outcome
		for _, a := range order {
			want.arrive(a)
			require.NoError(t, pgx.BeginFunc(t.Context(), b.DB, func(tx pgx.Tx) error {
				got = append(got, b.plainly(tx, id, a))
				return nil
			}))
		}
		require.Equal(t, want.outcomes, got, "%v", order)
		require.Equal(t, want.state, b.state(saga.ID(id)), "%v", order)
	}
}

// plainly does one command as a participant that has SQL alone.
func (b *bench) plainly(tx pgx.Tx, id uuid.UUID, a arrival) (outcome saga.Outcome) {
	b.t.Helper()
	var run bool
	require.NoError(b.t, tx.QueryRow(b.t.Context(), `SELECT run, coalesce(answer, '') FROM saga_barrier_enter($1, 'work', $2)`,
		id, string(a.op)).Scan(&run, &outcome))
	if !run {
		return outcome
	}
	outcome = map[string]saga.Outcome{"refuse": "failed", "fail": "retry"}[a.behaviour]
	if a.behaviour == "" {
		outcome = map[saga.Operation]saga.Outcome{"REQUEST": "succeeded", "CONFIRM": "confirmed", "CANCEL": "compensated"}[a.op]
	}
	_, err := tx.Exec(b.t.Context(), `SELECT saga_barrier_leave($1, 'work', $2, $3)`, id, string(a.op), string(outcome))
	require.NoError(b.t, err)
	return outcome
}
