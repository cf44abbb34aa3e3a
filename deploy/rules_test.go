package deploy_test

import (
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

// rules is the part of Prometheus' rule files that prometheus-rules.yaml uses.
type rules struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert       string
			Expr        string
			For         string
			Labels      map[string]string
			Annotations struct{ Summary, Description string }
		}
	}
}

// An alert on a metric that does not exist never fires.
func TestAlertsAreOnMetricsThatExist(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("prometheus-rules.yaml")
	require.NoError(t, err)
	var file rules
	require.NoError(t, yaml.UnmarshalWithOptions(text, &file, yaml.Strict()))
	page, err := os.ReadFile("../docs/metrics.md") // which a test compares with the code
	require.NoError(t, err)
	names := map[string]bool{}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			require.False(t, names[rule.Alert], "%s stands there twice", rule.Alert)
			names[rule.Alert] = true
			metric := regexp.MustCompile(`saga_\w+`).FindString(rule.Expr)
			require.Contains(t, string(page), "| `"+metric+"` |", rule.Alert)
			if rule.For != "" {
				_, err := time.ParseDuration(rule.For)
				require.NoError(t, err, rule.Alert)
			}
			require.Contains(t, []string{"critical", "warning"}, rule.Labels["severity"], rule.Alert)
			require.NotEmpty(t, rule.Annotations.Summary, rule.Alert)
			require.NotEmpty(t, rule.Annotations.Description, rule.Alert)
		}
	}
	require.NotEmpty(t, names)
}
