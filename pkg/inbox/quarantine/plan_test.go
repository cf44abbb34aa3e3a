package quarantine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox/blame"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	in := func(pause time.Duration) blame.NextTry { return blame.NextTry{Pause: pause} }
	dead := blame.NextTry{Dead: true}
	for name, c := range map[string]struct {
		code  Code
		named bool
		tries int
		age   time.Duration
		want  blame.NextTry
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
