package condition_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/condition"
	"go.example/saga/pkg/jsonmap"
)

func data(t testing.TB, text string) jsonmap.JSONMap {
	t.Helper()
	m, err := jsonmap.Parse([]byte(text))
	require.NoError(t, err)
	return m
}

func TestHolds(t *testing.T) {
	t.Parallel()
	d := data(t, `{"payload": {"n": 3, "price": 9.50, "big": 9007199254740993, "huge": 1e400, "who": "ada", "list": [1, "b"]},
		"outputs": {"hotel": {"stars": 4}}}`)
	for expression, want := range map[condition.Expression]bool{
		"":                                true,
		"payload.n == 3":                  true,
		"payload.price > 9":               true,
		"payload.big == 9007199254740993": true, // exact, and not as a float
		"payload.huge == 1e400":           true,
		`payload.huge == "1e400"`:         false, // a number is no text
		`payload.who startsWith "b"`:      false,
		`"b" in payload.list`:             true,
		"outputs.hotel.stars >= 4":        true,
		"outputs.flight == nil":           true,
		"payload.missing":                 false, // what is not there does not hold
	} {
		got, err := expression.Holds(d)
		require.NoError(t, err, string(expression))
		require.Equal(t, want, got, string(expression))
	}
}

func TestWhatCannotBeEvaluated(t *testing.T) {
	t.Parallel()
	d := data(t, `{"payload": {"n": 3}, "outputs": {}}`)
	for _, expression := range []condition.Expression{
		"payload.a.b.c == 1", "payload.n", `payload.n > "x"`, "len(map(1..10000000, # * payload.n)) == 0",
	} {
		_, err := expression.Holds(d)
		require.ErrorContains(t, err, "condition: ", string(expression))
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	require.NoError(t, condition.Expression("").Check())
	for _, expression := range []condition.Expression{"payload.n +", "1 + 1", "now() == nil", "weather == 1"} {
		require.Error(t, expression.Check(), string(expression))
	}
}

func TestReads(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"a", "b-c"}, condition.Expression(`outputs.a.n == 1 || outputs["b-c"].n == payload.d`).Reads())
	require.Empty(t, condition.Expression("payload.outputs.a == 1").Reads())
	require.Empty(t, condition.Expression("(").Reads())
}

// FuzzHolds: whatever somebody writes into a definition, it is answered, and the
// same the second time.
func FuzzHolds(f *testing.F) {
	f.Add("payload.n == 1", `{"payload": {"n": 1}}`)
	f.Add("outputs.a.b ?? true", `{"outputs": {}}`)
	f.Fuzz(func(t *testing.T, text, object string) {
		m, err := jsonmap.Parse([]byte(object))
		if err != nil || len(text) > 200 || strings.Contains(text, "..") {
			t.Skip()
		}
		first, err := condition.Expression(text).Holds(m)
		second, again := condition.Expression(text).Holds(m)
		require.Equal(t, first, second)
		require.Equal(t, err == nil, again == nil)
	})
}
