package quarantine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	in := func(pause time.Duration) Verdict { return Verdict{Pause: pause} }
	dead := Verdict{Dead: true}
	for name, c := range map[string]struct {
		code  Code
		named bool
		tries int
		age   time.Duration
		want  Verdict
	}{
		"failing":                         {Failing, true, 0, 0, in(time.Minute)},
		"unexpected":                      {Unexpected, true, 0, 0, in(time.Minute)},
		"unknown":                         {UnknownSubject, true, 0, 0, in(time.Minute)},
		"other":                           {Other, true, 0, 0, in(time.Minute)},
		"undecodable":                     {Undecodable, true, 0, 0, dead},
		"not to be recognised":            {Failing, false, 0, 0, dead},
		"pauses double":                   {Failing, true, 3, 8 * time.Minute, in(8 * time.Minute)},
		"up to an hour":                   {Failing, true, 6, 64 * time.Minute, in(time.Hour)},
		"the last try is at a day":        {Failing, true, 20, 23*time.Hour + 50*time.Minute, in(10 * time.Minute)},
		"a day is over":                   {Failing, true, 3, 24 * time.Hour, dead},
		"the clock was set back":          {Failing, true, 3, -365 * 24 * time.Hour, in(8 * time.Minute)},
		"the clock stays behind":          {Failing, true, 100, -365 * 24 * time.Hour, dead},
		"it became undecodable meanwhile": {Undecodable, true, 3, time.Hour, dead},
	} {
		require.Equal(t, c.want, Judge(c.code, c.named, c.tries, c.age), name)
	}
}

// The tries of a message that always fails end, whatever the clock says, after a day of
// pauses.
func TestTriesEnd(t *testing.T) {
	t.Parallel()
	for _, clock := range []float64{1, 0, -1} {
		var waited time.Duration
		tries := 0
		for v := Judge(Failing, true, 0, 0); !v.Dead; v = Judge(Failing, true, tries, time.Duration(clock*float64(waited))) {
			require.Positive(t, v.Pause)
			require.LessOrEqual(t, v.Pause, LongestPause)
			waited += v.Pause
			tries++
		}
		require.Equal(t, Lifetime, waited)
		require.Equal(t, 29, tries)
	}
}
