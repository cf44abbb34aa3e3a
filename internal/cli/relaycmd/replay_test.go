package relaycmd

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/cli"
)

// publish writes rows to the outbox and moves the position behind them.
func (d desk) publish(rows int) {
	d.Helper()
	d.exec(`INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload, created_at)
		SELECT 'test', 'k' || n % 2, 't' || n % 2, 'events', 'r', '1', now() - interval '3 hours'
		FROM generate_series(1, $1::integer) AS n`, rows)
	d.exec(`SELECT public.outbox_rebase()`) // into service
	d.exec(`UPDATE public.outbox_position SET settled = pg_current_snapshot()`)
}

func TestReplay(t *testing.T) {
	d := newDesk(t)
	d.publish(4)
	d.park("k0", "dead", "invalid") // 5: the position is not behind it
	out := d.relay("replay", "--from", "2", "--key", "k0")
	require.Regexp(t, `: 2 messages would be published once more, created \S+Z to \S+Z\.\nLeft alone: 1 pending, 0 parked, 0 discarded\.\n`, out)
	require.Contains(t, out, "same message ids")
	require.Contains(t, out, "\n  relay replay --config="+d.file+" --from=2 --key=k0 --yes\n")
	require.Equal(t, []string{"5 dead"}, d.states())

	out = d.relay("replay", "--from", "2", "--key", "k0", "--note", "consumer lost them", "--yes")
	require.Contains(t, out, ": 2 messages will be published once more.\n")
	require.Equal(t, []string{"2 scheduled", "4 scheduled", "5 dead"}, d.states())
	require.Regexp(t, `^replayed by \S+@\S+ at \S+Z: consumer lost them$`, d.column(`SELECT note FROM public.outbox_parked WHERE id = 2`)[0])

	out = d.relay("replay", "--from", "2", "--key", "k0", "--yes")
	require.Contains(t, out, ": 0 messages will be published once more.\nLeft alone: 1 pending, 2 parked, 0 discarded.\n")
	require.Contains(t, d.relay("replay", "--from", "2", "--key", "k0"), "no message matches")
}

func TestReplayBounds(t *testing.T) {
	d := newDesk(t)
	d.publish(4)
	for _, c := range []struct {
		want  string
		flags []string
	}{
		{": 4 messages would", []string{"--from", "4h"}},
		{": 4 messages would", []string{"--from", "4h", "--to", "2h"}},
		{"no message matches", []string{"--from", "2h"}},
		{"no message matches", []string{"--to", "2020-01-01T00:00:00Z"}},
		{": 4 messages would", []string{"--from", "2020-01-01T00:00:00+02:00"}},
		{": 2 messages would", []string{"--from", "2", "--to", "3"}},
		{": 2 messages would", []string{"--type", "t1"}},
		{"no message matches", []string{"--exchange", ""}},
	} {
		require.Contains(t, d.relay(append([]string{"replay"}, c.flags...)...), c.want, c.flags)
	}
	for want, args := range map[string][]string{
		"at least one of":       {"replay", "--yes"},
		`--from "yesterday" is`: {"replay", "--from", "yesterday"},
		`--to "" is`:            {"replay", "--to", ""},
		`--from "0s" is`:        {"replay", "--from", "0s", "--yes"},
		`--from "-5" is`:        {"replay", "--from=-5", "--yes"},
	} {
		code, _, errs := command(t, t.Context(), d.file, args...)
		require.Equal(t, cli.ExitUsage, code, want)
		require.Contains(t, errs, want)
	}
	require.Empty(t, d.states())
}

func TestReplayBringsDiscardedMessagesBack(t *testing.T) {
	d := newDesk(t)
	d.park("a", "dead", "invalid")
	d.publish(1)
	d.relay("parked", "discard", "--all", "--note", "by mistake", "--yes")
	require.Contains(t, d.relay("replay", "--key", "a"), "Left alone: 0 pending, 0 parked, 1 discarded.\n")
	require.Contains(t, d.relay("replay", "--key", "a", "--discarded", "--yes"), ": 1 message will be")
	require.Equal(t, []string{"1 scheduled"}, d.states())
}
