package sagayaml_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"go.example/saga/internal/schematest"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagayaml"
)

// asJSON is what an editor makes of the YAML before it validates it; not ok where it is none.
func asJSON(t testing.TB, text string) (value any, ok bool) {
	t.Helper()
	var loose any
	if yaml.Unmarshal([]byte(text), &loose) != nil {
		return nil, false
	}
	encoded, err := json.Marshal(loose)
	if err != nil { // a key that is no text, an infinite number
		return nil, false
	}
	return schematest.Value(t, encoded), true
}

func requireValid(t testing.TB, schema *jsonschema.Schema, text string) {
	t.Helper()
	value, ok := asJSON(t, text)
	require.True(t, ok, text)
	require.NoError(t, schema.Validate(value), text)
}

// The schema takes every definition that the reader takes: all in files, what is written back
// with its defaults, and whatever can be drawn.
func TestSchemaTakesWhatIsValid(t *testing.T) {
	t.Parallel()
	schema := schematest.Compile(t, "definition")
	taken := 0
	for _, text := range corpus(t) {
		def, err := sagayaml.Parse([]byte(text))
		if err != nil {
			continue
		}
		taken++
		requireValid(t, schema, text)
		written, err := sagayaml.Marshal(def)
		require.NoError(t, err)
		requireValid(t, schema, string(written))
	}
	require.Greater(t, taken, 8)
	for _, pattern := range []string{"../../../deploy/room-reservation.yaml", "../../../deploy/room-reservation-one-service.yaml", "../../../examples/definitions/*.yaml", "../../../examples/participants/*.yaml"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, files, pattern)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			requireValid(t, schema, string(text))
		}
	}
	for _, url := range []string{"http://h", "https://h.example:8443/a/b?c=@:/", "HTTP://h/", "http://[::1]:80/p", "http://h?q=1"} {
		text := "name: trip\nversion: 1\nsteps: [{name: a, transport: http, url: '" + url + "'}]"
		_, err := sagayaml.Parse([]byte(text))
		require.NoError(t, err, url)
		requireValid(t, schema, text)
	}
	rapid.Check(t, func(rt *rapid.T) {
		written, err := sagayaml.Marshal(definitions.Draw(rt, "definition"))
		require.NoError(rt, err)
		requireValid(t, schema, string(written))
	})
}

// beyond are the faults that no schema can know, by a part of what the reader says: those of
// the order of steps, and of the YAML before it is values.
var beyond = []string{"was left after step", "there is no way back", "a second document"}

// Of the texts that the reader refuses the schema refuses all but those whose faults are
// beyond a schema.
func TestSchemaRefusesWhatIsInvalid(t *testing.T) {
	t.Parallel()
	schema := schematest.Compile(t, "definition")
	refused := 0
	for _, text := range corpus(t) {
		_, err := sagayaml.Parse([]byte(text))
		value, ok := asJSON(t, text)
		if err == nil || !ok {
			continue
		}
		if schema.Validate(value) != nil {
			refused++
			continue
		}
		require.True(t, slices.ContainsFunc(beyond, func(known string) bool { return strings.Contains(err.Error(), known) }),
			"the schema takes this, which the reader refuses: %s\n%s", err, text)
	}
	require.Greater(t, refused, 12)
}

// Each of these is refused by the reader and by the schema, alone.
func TestSchemaRefusesEachFault(t *testing.T) {
	t.Parallel()
	schema := schematest.Compile(t, "definition")
	const head, steps = "name: trip\nversion: 1\n", "steps: [{name: a}]"
	step := func(rest string) string { return head + "steps: [{name: a, " + rest + "}]" }
	for _, text := range []string{
		"version: 1\n" + steps, "name: trip\n" + steps, head, head + "steps: []", head + "steps: {name: a}", head + "steps: [a]", head + "steps: [{}]",
		"name: Trip\nversion: 1\n" + steps, "name: a--b\nversion: 1\n" + steps, "name: 17\nversion: 1\n" + steps,
		"name: " + strings.Repeat("a", 64) + "\nversion: 1\n" + steps,
		"name: trip\nversion: 0\n" + steps, "name: trip\nversion: \"1\"\n" + steps, "name: trip\nversion: 2147483648\n" + steps, "name: trip\nversion: 1.5\n" + steps,
		head + "mode: xa\n" + steps, head + "mode:\n" + steps, head + "deadline: 0s\n" + steps, head + "deadline: 10\n" + steps, head + "deadline: -1h\n" + steps,
		head + "owner: me\n" + steps, "[]", "trip",
		head + "steps: [" + strings.Repeat("{name: a},", 101) + "]",
		step("kind: comand"), step("kind: ''"), step("type: Pivot"), step("group: A"), step("when: true"), step("when: ''"), step("destination: 'a b'"),
		step("destination: " + strings.Repeat("a", 101)), step("request: 10s"), step("request: {timeuot: 1s}"), step("request: {timeout: 0s}"), step("request: {timeout: 1w}"),
		step("request: {timeout: ''}"), step("request: {timeout: 1}"), step("request: {retry_for: 1 h}"), step("request: {retry: {attempt: 1}}"),
		step("request: {retry: {factor: 0.5}}"), step("request: {retry: {factor: 101}}"), step("request: {retry: {factor: a}}"),
		step("request: {retry: {jitter: -0.1}}"), step("request: {retry: {jitter: 1.1}}"),
		step("request: {retry: {attempts: 0}}"), step("request: {retry: {attempts: 1001}}"), step("request: {retry: {attempts: 1.5}}"), step("request: {retry: []}"),
		step("send: [a]"), step("send: {a: payload}"), step("send: {a: /headers}"), step("send: {a: /payloads}"), step("send: {'': /payload}"), step("send: {a: 3}"),
		step("keep: all"), step("keep: [a, a]"), step("keep: [3]"), step("keep: ['']"), step("keep: {a: b}"), step("keep: {a: ''}"),
		step("wait: 1s"), step("on_timeout: park"), step("confirm: {timeout: 1s}"), step("type: pivot, cancel: {timeout: 1s}"), step("type: retriable, cancel: {}"),
		step("kind: delay"), step("kind: signal"), step("kind: delay, wait: 1s, keep: [a]"), step("kind: delay, wait: 1s, on_timeout: refuse"),
		step("kind: signal, wait: 1s, on_timeout: explode"), step("kind: signal, wait: 1s, type: pivot"), step("kind: signal, wait: 1s, send: {}"),
		step("kind: delay, wait: 1s, destination: b"), step("kind: delay, wait: 1s, request: {}"), step("kind: delay, wait: 1s, cancel: {}"), step("kind: signal, wait: 1s, confirm: {}"),
		step("transport: pigeon"), step("transport: http"), step("url: http://h/"), step("transport: broker, url: http://h/"),
		step("transport: http, url: http://h/, destination: b"), step("transport: http, url: ftp://h/"), step("transport: http, url: h/p"),
		step("transport: http, url: http:///p"), step("transport: http, url: 'http://:80/'"), step("transport: http, url: 'http://u:p@h/'"),
		step("transport: http, url: 'http://h/#f'"), step("transport: http, url: 'http://h/a b'"), step("transport: http, url: http://h/ü"),
		step("transport: http, url: http://h/" + strings.Repeat("a", 250)), step("kind: delay, wait: 1s, transport: broker"), step("kind: signal, wait: 1s, url: http://h/"),
		head + "mode: tcc\nsteps: [{name: a, type: pivot}]", head + "mode: tcc\nsteps: [{parallel: g, steps: [{name: a, type: retriable}]}]",
		head + "steps: [{parallel: g, steps: [{name: a, confirm: {}}]}]",
		head + "steps: [{parallel: g}]", head + "steps: [{parallel: g, steps: []}]", head + "steps: [{parallel: G, steps: [{name: a}]}]",
		head + "steps: [{parallel: g, when: 'true', steps: [{name: a}]}]", head + "steps: [{parallel: g, steps: [{name: a, group: g}]}]",
		head + "steps: [{parallel: g, steps: [{parallel: h, steps: [{name: a}]}]}]",
	} {
		_, err := sagayaml.Parse([]byte(text))
		require.Error(t, err, text)
		value, ok := asJSON(t, text)
		require.True(t, ok, text)
		require.Error(t, schema.Validate(value), "the schema takes it, the reader says %v\n%s", err, text)
	}
}

// The keys that the reader knows at each place, by what it says of one that it does not know,
// are those of the schema.
func TestSchemaHasTheReadersKeys(t *testing.T) {
	t.Parallel()
	schema := schematest.Document(t, "definition")
	const unknown = "a-key-that-is-like-no-other-and-too-long-for-a-guess"
	for place, text := range map[string]string{
		"":                           unknown + ": 1",
		"$defs/group":                "steps: [{parallel: g, steps: [], " + unknown + ": 1}]",
		"$defs/step":                 "steps: [{" + unknown + ": 1}]",
		"$defs/policy":               "steps: [{name: a, request: {" + unknown + ": 1}}]",
		"$defs/policy/.../retry":     "steps: [{name: a, request: {retry: {" + unknown + ": 1}}}]",
		"$defs/policy/.../retry (c)": "steps: [{name: a, cancel: {retry: {" + unknown + ": 1}}}]",
	} {
		_, err := sagayaml.Parse([]byte(text))
		var faults *sagayaml.Error
		require.ErrorAs(t, err, &faults)
		var known []string
		for _, f := range faults.Faults {
			if list, ok := strings.CutPrefix(f.Remedy, "use "); ok && strings.HasPrefix(f.Reason, "unknown key") {
				known = strings.Split(list, ", ")
			}
		}
		require.NotEmpty(t, known, "%s: %v", place, err)
		at := schema
		for key := range strings.SplitSeq(strings.TrimSuffix(place, " (c)"), "/") {
			switch key {
			case "":
			case "...":
				at = at["properties"].(map[string]any)
			default:
				at = at[key].(map[string]any)
			}
		}
		require.Equal(t, false, at["additionalProperties"], place)
		require.ElementsMatch(t, known, slices.Collect(maps.Keys(at["properties"].(map[string]any))), place)
	}
}

// An editor shows a word on each key.
func TestSchemaDescribesEachKey(t *testing.T) {
	t.Parallel()
	described := 0
	var look func(at string, node any)
	look = func(at string, node any) {
		object, ok := node.(map[string]any)
		if !ok {
			return
		}
		properties, _ := object["properties"].(map[string]any)
		if object["additionalProperties"] == false { // where keys are introduced, not where they are forbidden
			for key, property := range properties {
				described++
				require.NotEmpty(t, property.(map[string]any)["description"], "%s/%s", at, key)
			}
		}
		for key, child := range object {
			look(at+"/"+key, child)
		}
	}
	look("", schematest.Document(t, "definition"))
	require.Greater(t, described, 25)
}

// What the schema says of defaults is what the reader takes.
func TestSchemaTellsTheDefaults(t *testing.T) {
	t.Parallel()
	step := schematest.Document(t, "definition")["$defs"].(map[string]any)["step"].(map[string]any)["properties"].(map[string]any)
	short := strings.NewReplacer("h0m0s", "h", "m0s", "m")
	for key, policy := range map[string]saga.Policy{"request": sagayaml.DefaultRequest, "cancel": sagayaml.DefaultCancel} {
		r := policy.Retry
		require.Contains(t, step[key].(map[string]any)["description"], short.Replace(fmt.Sprintf(
			"timeout %v, retry_for %v, retry {initial: %v, factor: %v, max: %v, jitter: %v, attempts: %d}",
			policy.Timeout, policy.RetryFor, r.Initial, r.Factor, r.Max, r.Jitter, r.Attempts)))
	}
	require.Equal(t, sagayaml.DefaultCancel, sagayaml.DefaultConfirm)
}
