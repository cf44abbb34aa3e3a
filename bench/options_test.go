package main

import (
	"flag"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	t.Parallel()
	o, err := parse(nil, io.Discard)
	require.NoError(t, err)
	require.Equal(t, []string{"drain", "latency", "held", "retention", "backlog"}, o.Only)
	require.Equal(t, 100_000, o.rows)
	require.Empty(t, o.Page)

	o, err = parse(strings.Fields("-rows 20000 -only drain,held -page x.md"), io.Discard)
	require.NoError(t, err)
	require.Equal(t, []string{"drain", "held"}, o.Only)
	require.Equal(t, "cd bench && go run . -rows 20000 -only drain,held -page x.md", o.Command)

	for args, want := range map[string]string{
		"-only drane":  `"drane"`,
		"-rows 10":     "-rows is 10",
		"-rounds 0":    "-rounds is 0",
		"-latency 1ms": "1ms",
		"drain":        `"drain"`,
		"-h":           flag.ErrHelp.Error(),
	} {
		_, err := parse(strings.Fields(args), io.Discard)
		require.ErrorContains(t, err, want, args)
	}
}
