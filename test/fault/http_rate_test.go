package fault

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app/relay"
	"go.example/saga/internal/config"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	"go.example/saga/pkg/saga/sagayaml"
)

// BenchmarkTransports runs sagas of one step by the broker and by HTTP, in turns, with the
// same participant behind both, and tells how many a second of the latter there are for one
// of the former. An iteration is a pair.
//
//	go test -run '^$' -bench Transports -benchtime 5x ./test/fault
func BenchmarkTransports(b *testing.B) {
	const sagas = 2000
	m := newMixed(b)
	r := relay.DefaultSettings()
	r.DatabaseURLs = config.Secret(m.sagas.Config().ConnString() + " " + m.deeds["hotel"].Config().ConnString())
	r.AMQPURL, r.LogLevel, r.HTTPTargets = config.Secret(m.url), "error", m.web.url
	m.run(func(ctx context.Context) error { return relay.Run(ctx, r) })
	m.hotel()
	run := func(def saga.Definition) float64 {
		began := time.Now()
		for range sagas / 100 {
			require.NoError(b, pgx.BeginFunc(b.Context(), m.sagas, func(tx pgx.Tx) error {
				for range 100 {
					if _, _, err := m.store.Start(b.Context(), tx, def, sagapg.StartRequest{}); err != nil {
						return err
					}
				}
				return nil
			}))
		}
		require.Eventually(b, func() bool { return m.count(m.sagas, `SELECT count(*) FROM saga WHERE ended_at IS NULL`) == 0 },
			patience, 5*time.Millisecond)
		return sagas / time.Since(began).Seconds()
	}
	var ways []saga.Definition
	for name, step := range map[string]string{"broker": "{name: hotel}", "http": "{name: payment, transport: http, url: " + m.web.url + "/payment}"} {
		def, err := sagayaml.Parse(fmt.Appendf(nil, "name: %s\nversion: 1\nsteps:\n  - %s\n", name, step))
		require.NoError(b, err)
		_, err = m.store.ApplyDefinition(b.Context(), m.sagas, def)
		require.NoError(b, err)
		ways = append(ways, def)
	}
	slices.SortFunc(ways, func(x, y saga.Definition) int { return len(y.Name) - len(x.Name) })
	run(ways[0]) // all is set up
	run(ways[1])
	var ratios []float64
	for b.Loop() {
		broker, http := run(ways[0]), run(ways[1])
		b.Logf("broker %.0f/s, HTTP %.0f/s", broker, http)
		ratios = append(ratios, http/broker)
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "HTTP/broker")
}
