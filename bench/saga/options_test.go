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
	require.Equal(t, []string{"throughput", "latency", "finished"}, o.Only)
	require.Equal(t, 5_000_000, o.finished)
	require.Empty(t, o.Page)

	o, err = parse(strings.Fields("-orders 500 -only latency -page x.md"), io.Discard)
	require.NoError(t, err)
	require.Equal(t, []string{"latency"}, o.Only)
	require.Equal(t, "cd bench && go run ./saga -orders 500 -only latency -page x.md", o.Command)

	for args, want := range map[string]string{
		"-only late":   `"late"`,
		"-orders 10":   "-orders is 10",
		"-running 31":  "-running is 31, want at least 32",
		"-finished 10": "-finished is 10",
		"-rounds 0":    "-rounds is 0",
		"-latency 1ms": "1ms",
		"latency":      `"latency"`,
		"-h":           flag.ErrHelp.Error(),
	} {
		_, err := parse(strings.Fields(args), io.Discard)
		require.ErrorContains(t, err, want, args)
	}
}
