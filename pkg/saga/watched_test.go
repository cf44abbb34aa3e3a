package saga_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"go.example/saga/pkg/saga"
)

// booking is a choreography with two ways back.
func booking() saga.Choreography {
	return saga.Choreography{
		Name: "booking", Version: 1,
		Events: []saga.ExpectedEvent{
			{Name: "order.placed", From: "orders", Within: time.Minute},
			{Name: "room.booked", From: "hotel", Within: 10 * time.Second},
			{Name: "payment.captured", From: "payment", Within: 5 * time.Second},
		},
		Aborts: []saga.AbortingEvent{
			{Name: "room.refused", From: "hotel", Undone: []saga.ExpectedEvent{{Name: "payment.voided", From: "payment", Within: 3 * time.Second}}},
			{Name: "payment.declined", From: "payment", Undone: []saga.ExpectedEvent{{Name: "room.released", From: "hotel", Within: 3 * time.Second}}},
			{Name: "order.withdrawn", From: "orders"},
		},
	}
}

var watchStart = time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)

type fact struct{ name, from string }

// listen hears facts, one a second.
func listen(facts ...fact) saga.Watched {
	w := booking().Watch(saga.ID{1}, watchStart)
	for i, f := range facts {
		w, _, _ = w.Hear(f.name, f.from, "o-1", watchStart.Add(time.Duration(i)*time.Second))
	}
	return w
}

func missing(w saga.Watched) (names []string) {
	for _, e := range w.Events {
		if e.Missing {
			names = append(names, e.Name)
		}
	}
	return names
}

func TestWatchedCourses(t *testing.T) {
	t.Parallel()
	placed, booked, captured := fact{"order.placed", "orders"}, fact{"room.booked", "hotel"}, fact{"payment.captured", "payment"}
	refused, voided := fact{"room.refused", "hotel"}, fact{"payment.voided", "payment"}
	declined, released := fact{"payment.declined", "payment"}, fact{"room.released", "hotel"}
	for name, c := range map[string]struct {
		facts   []fact
		status  saga.Status
		missing []string
		due     time.Duration // from the start
	}{
		"begun":                    {[]fact{placed}, saga.StatusStarted, []string{"room.booked", "payment.captured"}, 5 * time.Second},
		"one is missing":           {[]fact{placed, captured}, saga.StatusStarted, []string{"room.booked"}, 10 * time.Second},
		"the first is missing":     {[]fact{captured, booked}, saga.StatusStarted, []string{"order.placed"}, time.Minute},
		"complete":                 {[]fact{placed, booked, captured}, saga.StatusCompleted, nil, 0},
		"back":                     {[]fact{placed, booked, declined}, saga.StatusAborting, []string{"room.released"}, 5 * time.Second},
		"undone":                   {[]fact{placed, booked, declined, released}, saga.StatusAborted, nil, 0},
		"undone before the reason": {[]fact{released, declined}, saga.StatusAborted, nil, 0},
		"nothing to undo":          {[]fact{placed, {"order.withdrawn", "orders"}}, saga.StatusAborted, nil, 0},
		"both say no":              {[]fact{refused, declined, voided}, saga.StatusAborting, []string{"room.released"}, 4 * time.Second},
		"complete, then back":      {[]fact{placed, booked, captured, declined}, saga.StatusAborting, []string{"room.released"}, 6 * time.Second},
		"of another service":       {[]fact{placed, {"room.booked", "motel"}}, saga.StatusStarted, []string{"room.booked", "payment.captured"}, 5 * time.Second},
	} {
		w := listen(c.facts...)
		require.Equal(t, c.status, w.Status, name)
		require.Equal(t, c.missing, missing(w), name)
		require.Equal(t, len(c.missing) == 0, !w.EndedAt.IsZero(), name)
		if len(c.missing) > 0 {
			require.Equal(t, watchStart.Add(c.due), w.DueAt, name)
		} else {
			require.True(t, w.DueAt.IsZero(), name)
		}
	}
}

func TestWatchedSaysWhatIsNoPartOfIt(t *testing.T) {
	t.Parallel()
	w := listen(fact{"order.placed", "orders"})
	same, expected, news := w.Hear("room.booked", "motel", "x", watchStart.Add(time.Hour))
	require.False(t, expected || news)
	require.Equal(t, w, same)
	again, expected, news := w.Hear("order.placed", "orders", "o-2", watchStart.Add(time.Hour))
	require.True(t, expected && !news)
	require.Equal(t, w, again, "a copy changes nothing")
	require.Equal(t, "o-1", w.BusinessKey)
	back, _, news := w.Hear("room.booked", "hotel", "x", watchStart.Add(-time.Hour))
	require.True(t, news)
	require.Equal(t, watchStart, back.UpdatedAt, "a clock that was set back")
}

// Neither the order in which events are heard, nor copies, change where a course stands.
func TestWatchedDependsOnWhatWasHeardAlone(t *testing.T) {
	t.Parallel()
	all := listen().Events
	rapid.Check(t, func(r *rapid.T) {
		var some []fact
		for _, e := range all {
			if rapid.Bool().Draw(r, e.Name) {
				some = append(some, fact{e.Name, e.From})
			}
		}
		copies := slices.Clone(some)
		for range rapid.IntRange(0, 5).Draw(r, "copies") {
			if len(some) > 0 {
				copies = append(copies, rapid.SampledFrom(some).Draw(r, "copy"))
			}
		}
		w, other := listen(some...), listen(rapid.Permutation(copies).Draw(r, "order")...)
		require.Equal(r, w.Status, other.Status)
		require.Equal(r, missing(w), missing(other))
		require.Equal(r, w.EndedAt.IsZero(), other.EndedAt.IsZero())
		require.Equal(r, w.DueAt.IsZero(), other.DueAt.IsZero())
		require.Equal(r, len(missing(w)) == 0, w.Status == saga.StatusCompleted || w.Status == saga.StatusAborted)
	})
}
