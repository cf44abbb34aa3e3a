package app_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app"
)

// Two services that share a monitor are told apart; a relay is nobody's.
func TestMetricsNameTheService(t *testing.T) {
	t.Parallel()
	for service, labels := range map[string]map[string]string{"hotel": {"service": "hotel"}, "": {}} {
		all, err := app.NewRegistry("saga_test", service).Gather()
		require.NoError(t, err)
		require.NotEmpty(t, all)
		for _, family := range all {
			for _, metric := range family.GetMetric() {
				found := map[string]string{}
				for _, label := range metric.GetLabel() {
					if label.GetName() == "service" {
						found["service"] = label.GetValue()
					}
				}
				require.Equal(t, labels, found, family.GetName())
			}
		}
	}
}
