package compose_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/compose"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// always is a source that has this part.
func always(part any) compose.Source[string] {
	return func(context.Context, string) (any, error) { return part, nil }
}

func TestPartsThatComeAndPartsThatDoNot(t *testing.T) {
	t.Parallel()
	boom := errors.New("password=hunter2 at 10.0.0.7")
	parts := compose.Sources[string]{
		"raw":      always(json.RawMessage(`{ "b":1,  "a":9007199254740993 }`)),
		"value":    func(_ context.Context, of string) (any, error) { return map[string]string{"of": of}, nil },
		"none":     func(context.Context, string) (any, error) { return nil, &compose.Error{Why: compose.NotFound} },
		"broken":   func(context.Context, string) (any, error) { return nil, boom },
		"panics":   func(context.Context, string) (any, error) { panic("oh") },
		"no JSON":  always(func() {}),
		"not this": func(context.Context, string) (any, error) { panic("was not asked for") },
	}
	answer, err := parts.Ask(t.Context(), time.Minute, "order", []string{"value", "raw", "broken", "none", "panics", "no JSON", "raw"})
	require.NoError(t, err)
	text, err := json.Marshal(answer)
	require.NoError(t, err)
	require.JSONEq(t, `{
		"parts": {"raw": {"b": 1, "a": 9007199254740993}, "value": {"of": "order"}},
		"missing": [{"part": "broken", "why": "failed"}, {"part": "no JSON", "why": "failed"},
			{"part": "none", "why": "not-found"}, {"part": "panics", "why": "failed"}]
	}`, string(text))
	require.Contains(t, string(text), `{"b":1,"a":9007199254740993}`, "members in their order, numbers as they are")
	require.ErrorIs(t, answer.Missing[0].Err, boom, "the log is told")
}

func TestNothingIsAskedForWhereANameIsUnknown(t *testing.T) {
	t.Parallel()
	parts := compose.Sources[string]{
		"b": func(context.Context, string) (any, error) { panic("was asked") },
		"a": always(1),
	}
	for _, names := range [][]string{{"b", "secret"}, {""}, {"B"}, {"a", "b "}} {
		_, err := parts.Ask(t.Context(), time.Minute, "", names)
		var unknown *compose.UnknownError
		require.ErrorAs(t, err, &unknown, "%q", names)
		require.Equal(t, []string{"a", "b"}, unknown.Known)
		require.Equal(t, "there is no such part: ask for some of a, b", err.Error())
	}
	answer, err := parts.Ask(t.Context(), time.Minute, "", nil)
	require.NoError(t, err)
	require.Equal(t, compose.Answer{}, answer)
}

// All wait for the same deadline at the same time, and one that heeds no context holds up
// nobody.
func TestOneDeadlineForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var together sync.WaitGroup
		together.Add(3)
		meet := func() { // goes on when all three are under way
			together.Done()
			together.Wait()
		}
		parts := compose.Sources[string]{
			"quick": func(context.Context, string) (any, error) {
				meet()
				time.Sleep(time.Second) //nolint:forbidigo // synctest's clock
				return 1, nil
			},
			"slow": func(ctx context.Context, _ string) (any, error) {
				meet()
				<-ctx.Done()
				return nil, ctx.Err()
			},
			"deaf": func(context.Context, string) (any, error) {
				meet()
				<-release
				return 1, nil
			},
		}
		began := time.Now()
		answer, err := parts.Ask(t.Context(), 2*time.Second, "", []string{"quick", "slow", "deaf"})
		require.NoError(t, err)
		require.Equal(t, 2*time.Second, time.Since(began))
		require.JSONEq(t, `1`, string(answer.Parts["quick"]))
		require.Len(t, answer.Missing, 2)
		for _, m := range answer.Missing {
			require.Equal(t, compose.Timeout, m.Why, m.Part)
		}
		close(release)
		synctest.Wait()
	})
}

func TestWhoGivesUpIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	ctx, giveUp := context.WithCancel(t.Context())
	parts := compose.Sources[string]{"slow": func(ctx context.Context, _ string) (any, error) {
		giveUp()
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	answer, err := parts.Ask(ctx, time.Hour, "", []string{"slow"})
	require.NoError(t, err)
	require.Equal(t, compose.Timeout, answer.Missing[0].Why)
}

func TestETag(t *testing.T) {
	t.Parallel()
	tag := compose.ETag([]byte("a"))
	require.Equal(t, tag, compose.ETag([]byte("a")))
	require.NotEqual(t, tag, compose.ETag([]byte("b")))
	require.Regexp(t, `^"[!#-~]{24}"$`, tag)
	for header, want := range map[string]bool{
		tag: true, "W/" + tag: true, `"x", ` + tag: true, `"x" , W/` + tag + `, "y"`: true, `"a,b",` + tag: true, "*": true, " * ": true,
		"": false, `"x"`: false, strings.Trim(tag, `"`): false, strings.TrimRight(tag, `"`): false, `"a, ` + tag: false,
		"W/": false, ",,": false, `"x" y ` + tag: false,
	} {
		require.Equal(t, want, compose.NotModified(header, tag), "%s", header)
		require.False(t, compose.NotModified(header, ""), "%s", header)
	}
}

func FuzzNotModified(f *testing.F) {
	for _, seed := range []string{`"a"`, `W/"a", "b"`, "*", `"`, `W/`, `, ,"a"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		tag := compose.ETag([]byte(header))
		if compose.NotModified(header, tag) {
			require.True(t, strings.TrimSpace(header) == "*" || strings.Contains(header, tag))
		}
	})
}
