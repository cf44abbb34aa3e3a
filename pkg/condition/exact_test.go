package condition_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"go.example/saga/pkg/condition"
	"go.example/saga/pkg/jsonmap"
)

func TestNumbersAreExact(t *testing.T) {
	t.Parallel()
	d := data(t, `{"payload": {"n": 3, "odd": 9007199254740993, "max": 9223372036854775807, "a": 0.1, "b": 0.2,
		"fine": 0.1000000000000000055511151231257827, "one": 1.0, "huge": 1e400, "long": 123456789012345678901234567890,
		"tiny": -1e-400, "zero": 0e999999999, "list": [1.0, 2.50, {"n": 9007199254740993}], "id": 42, "text": "42"},
		"outputs": {"hotel": {"price": 12.10, "nights": 3}}}`)
	for expression, want := range map[condition.Expression]bool{
		"payload.odd == 9007199254740992.0":                             false,
		"payload.odd == 9007199254740993.0":                             true,
		"payload.odd - 1 == 9007199254740992":                           true,
		"payload.odd > 9007199254740992.5":                              true,
		"payload.max + 1 == 9223372036854775808":                        true,
		"payload.max * payload.max > payload.max":                       true,
		"-payload.max - 2 < -9223372036854775808":                       true,
		"9223372036854775807 + 1 > 0":                                   true,
		"payload.a + payload.b == 0.3":                                  true,
		"payload.fine == payload.a":                                     false,
		"payload.fine == 0.1":                                           false,
		"0.1 == 0.1000000000000000055511151231257827":                   false,
		"payload.one == 1":                                              true,
		"1 / 3 * 3 == 1":                                                true,
		"7 / 2 == 3.5":                                                  true,
		"-7 % 2 == -1 && 5.5 % 2 == 1.5":                                true,
		"2 ** 100 == 1267650600228229401496703205376":                   true,
		"2 ** -1 == 0.5 && (-1) ** 99999999999999 == -1 && 0 ** 0 == 1": true,
		"payload.huge > payload.long && payload.huge > 0":               true,
		"payload.huge == 10 ** 400":                                     true,
		"payload.long == 123456789012345678901234567890":                true,
		"payload.long == 123456789012345678901234567891":                false,
		"payload.tiny < 0 && payload.tiny * payload.huge == -1":         true,
		"payload.zero == 0":                                             true,
		"1 in payload.list && 2.5 in payload.list":                      true,
		"9007199254740992 in payload.list":                              false,
		"payload.list[0] == payload.list[payload.one - 1]":              true,
		"payload.list == [1, 2.5, {n: 9007199254740993}]":               true,
		"payload.list == [1, 2.5, {n: 9007199254740992.0}]":             false,
		"any(payload.list[:2], # > 2.49999999999999999999)":             true,
		"sum(payload.list[:2]) == 3.5 && max(1, 2.5, payload.n) == 3":   true,
		"min(payload.list[:2]) == 1 && abs(-0.10) == 0.1":               true,
		"reduce([0.1, 0.2], #acc + #, 0) == 0.3":                        true,
		"len(payload.list) == payload.n && count([1, 2], # > 1) == 1.0": true,
		"outputs.hotel.price * outputs.hotel.nights == 36.3":            true,
		"payload.n in 1..5 && !(payload.a in 0..1)":                     true,
		"payload.n in 1..payload.long":                                  true,
		`payload.id == 42 && payload.id != "42"`:                        true,
		`string(payload.id) == payload.text && string(1/4) == "0.25"`:   true,
		`type(payload.huge) == "number" && type("") == "string"`:        true,
		`date("2029-05-03") - date("2029-05-01") == duration("48h")`:    true,
		`"a" + "b" == "ab" && "a" < "b" && not (nil == 0)`:              true,
		"(payload.missing ?? 0.3) == payload.a + payload.b":             true,
		"payload.n.5 == 1 || true":                                      true,
	} {
		if strings.Contains(string(expression), "n.5") {
			require.Error(t, expression.Check(), "no number is glued to a name")
			continue
		}
		require.NoError(t, expression.Check(), string(expression))
		got, err := expression.Holds(d)
		require.NoError(t, err, string(expression))
		require.Equal(t, want, got, string(expression))
	}
}

func TestWhatIsMadeInGoIsComparedAsItWillBeStored(t *testing.T) {
	t.Parallel()
	d := jsonmap.JSONMap{"payload": jsonmap.JSONMap{
		"u": uint64(18446744073709551615), "f": 0.1, "i": 7, "r": big.NewInt(0).Exp(big.NewInt(10), big.NewInt(30), nil), "l": []float32{0.1},
	}}
	for _, expression := range []condition.Expression{
		"payload.u == 18446744073709551615", "payload.f == 0.1", "payload.i == 7.0", "payload.r == 1e30", "0.1 in payload.l",
	} {
		got, err := expression.Holds(d)
		require.NoError(t, err, string(expression))
		require.True(t, got, string(expression))
	}
}

func TestWhatIsNotExactIsNotDecided(t *testing.T) {
	t.Parallel()
	d := data(t, `{"payload": {"n": 3, "much": 1e1001, "little": 1e-1001, "long": 1`+strings.Repeat("0", 1000)+`}}`)
	for _, expression := range []condition.Expression{
		"payload.much > 1", "payload.n < payload.little", "payload.long == payload.n", "payload.n in [payload.much]",
		"10 ** payload.n ** 9 > 1", "payload.n ** 0.5 > 1", "payload.n ** 1e999 > 1", "sum([1, payload.much]) > 1", "-payload.much < 0",
	} {
		_, err := expression.Holds(d)
		require.ErrorIs(t, err, condition.ErrInexact, string(expression))
		require.Less(t, len(err.Error()), 250)
	}
	for _, expression := range []condition.Expression{
		"payload.n == 1e1000000000", "payload.n == 1e-99999999999999999999", "payload.n == 0.5e1001",
	} {
		require.ErrorIs(t, expression.Check(), condition.ErrInexact, string(expression))
	}
}

func TestNoFunctionRoundsNumbers(t *testing.T) {
	t.Parallel()
	for _, call := range []condition.Expression{
		"float(payload.n) == 1", "int(payload.n) == 1", "round(1.5) == 2", "mean([1]) == 1", "median([1]) == 1", "floor(1.5) == 1",
		"ceil(1.5) == 2", `fromJSON("1") == 1`, "toJSON(payload) == ``", "sort([1]) == [1]", "uniq([1]) == [1]", "groupBy([1], #) == nil",
		"sortBy([1], #) == [1]", "bitand(1, 1) == 1", "get(payload, 1) == nil", `repeat("a", 3) == ""`,
	} {
		require.Error(t, call.Check(), string(call))
	}
}

// TestOrderOfNumbers: two decimals of any length compare as their exact values do.
func TestOrderOfNumbers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		written := rapid.StringMatching(`-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?(e[+-]?[0-9]{1,2})?`)
		a, b := written.Draw(t, "a"), written.Draw(t, "b")
		m, err := jsonmap.Parse([]byte(`{"payload": {"a": ` + a + `, "b": ` + b + `}}`))
		require.NoError(t, err)
		x, _ := new(big.Rat).SetString(a)
		y, _ := new(big.Rat).SetString(b)
		for _, right := range []string{"payload.b", "(" + b + ")"} {
			for operator, want := range map[string]bool{
				"==": x.Cmp(y) == 0, "!=": x.Cmp(y) != 0, "<": x.Cmp(y) < 0, "<=": x.Cmp(y) <= 0, ">": x.Cmp(y) > 0, ">=": x.Cmp(y) >= 0,
			} {
				got, err := condition.Expression("payload.a " + operator + " " + right).Holds(m)
				require.NoError(t, err)
				require.Equal(t, want, got, "%s %s %s", a, operator, b)
			}
		}
	})
}
