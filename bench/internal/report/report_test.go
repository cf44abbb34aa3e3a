package report

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/bench/internal/stats"
)

func TestTable(t *testing.T) {
	t.Parallel()
	table := Bars([]stats.Bar{stats.AtLeast("drain", 0.97, 0.95), stats.AtMost("memory", 50, 40)})
	table.Note = "What it says."
	require.Equal(t, `### The bars

What it says.

| bar | measured | limit | verdict |
| --- | --- | --- | --- |
| drain | 0.970 | >=0.95 | ok |
| memory | 50.0 | <=40 | short |
`, table.Markdown())
}

func TestPageKeepsWhatPeopleWrote(t *testing.T) {
	t.Parallel()
	const begin = "<!-- begin: written by make bench-relay -->\n"
	path := filepath.Join(t.TempDir(), "page.md")
	require.NoError(t, os.WriteFile(path, []byte("# Title\n\n"+begin+"old\n"+end+"\nThe rest.\n"), 0o644))
	for _, report := range []string{"new\n", "newer"} {
		page, err := OpenPage(path, "bench-relay")
		require.NoError(t, err)
		require.NoError(t, page.Write(report))
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "# Title\n\n"+begin+"\nnewer\n\n"+end+"\nThe rest.\n", string(text))
}

func TestPageWithoutAPlace(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "page.md")
	_, err := OpenPage(path, "bench-relay")
	require.ErrorIs(t, err, os.ErrNotExist)
	for _, text := range []string{"", "<!-- begin: written by make bench-saga -->\n" + end, end + begin} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		_, err := OpenPage(path, "bench-relay")
		require.ErrorContains(t, err, "no place")
	}
}

func TestFacts(t *testing.T) {
	t.Parallel()
	require.Equal(t, "Fast One", processor("processor\t: 0\nmodel name\t: Fast One\nprocessor\t: 1\n"))
	require.Equal(t, unknown, processor(""))
	require.Equal(t, "24 GiB", memory("MemTotal:       25165824 kB\nMemFree: 1 kB\n")[:6])
	require.Equal(t, unknown, memory("MemTotal: x\n"))
	require.Equal(t, []string{"riverqueue/river v0.51.1"}, versions([]*debug.Module{
		{Path: "github.com/riverqueue/river", Version: "v0.51.1"}, {Path: "example.com/other", Version: "v1"},
	}))
	text := Facts{Command: "make bench-relay", When: time.Unix(0, 0), Postgres: "15.1", Broker: "3.10.8"}.Markdown()
	require.Contains(t, text, "- Command: `make bench-relay`\n- Date: 1970-01-01\n")
	require.Contains(t, text, "PostgreSQL 15.1, RabbitMQ 3.10.8")
}
