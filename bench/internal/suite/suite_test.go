package suite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/bench/internal/lab"
	"go.example/saga/bench/internal/report"
	"go.example/saga/bench/internal/stats"
	"go.example/saga/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// A part that fails misses a bar, the others run, and only a whole run is written.
func TestParts(t *testing.T) {
	t.Parallel()
	l, err := lab.Open(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	path := filepath.Join(t.TempDir(), "page.md")
	const empty = "<!-- begin: written by make bench-x -->\n<!-- end -->\n"
	require.NoError(t, os.WriteFile(path, []byte(empty), 0o644))
	s := Suite{
		Parts: []Part{
			{"broken", func(context.Context) (Result, error) { return Result{}, errors.New("broken") }},
			{"good", func(context.Context) (Result, error) {
				return Result{Tables: []report.Table{{Title: "Good"}}, Bars: []stats.Bar{stats.AtLeast("good", 2, 1)}}, nil
			}},
		},
		Options: Options{Only: []string{"good"}, Page: path},
		Target:  "bench-x",
	}
	bars, err := s.Run(t.Context(), l)
	require.NoError(t, err)
	require.Len(t, bars, 1)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, empty, string(text), "a part of a run is only printed")

	s.Only = []string{"broken", "good"}
	bars, err = s.Run(t.Context(), l)
	require.NoError(t, err)
	require.Len(t, bars, 2)
	require.False(t, bars[0].Met())
	require.True(t, bars[1].Met())
	text, err = os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), "### Good")

	s.Target = "bench-y"
	_, err = s.Run(t.Context(), l)
	require.ErrorContains(t, err, "no place")
}
