package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/config"
)

type Inner struct {
	Address config.Secret `env:"ADDRESS"`
}

type all struct {
	Inner
	Word    string        `env:"WORD"`
	Number  int           `env:"NUMBER"`
	Yes     bool          `env:"YES"`
	Pause   time.Duration `env:"PAUSE"`
	Mapping struct {
		Table string `yaml:"table"`
	} `yaml:"mapping"`
}

func (*all) Validate() error { return nil }

var defaults = all{Word: "word", Number: 7, Yes: true, Pause: time.Second}

func file(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "settings.yaml")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

// The same text means the same in a file and in the environment.
func TestTextMeansTheSameEverywhere(t *testing.T) {
	for _, text := range []string{"010", "10 ", "0x10", "1_000", "1e3", "ten", "", "~", "\ufeff10", "+5", "-0", "0o17", "10\n"} {
		read := func(path string) (int, bool) {
			s := defaults
			err := config.Load(path, &s)
			return s.Number, err == nil
		}
		t.Setenv("NUMBER", text)
		number, ok := read("")
		t.Setenv("NUMBER", "")
		quoted, okQuoted := read(file(t, "number: "+quote(text)))
		require.Equal(t, ok, okQuoted, "%q in quotes", text)
		require.Equal(t, number, quoted, "%q in quotes", text)
		if text == "~" || text == "\ufeff10" || text == "10\n" {
			continue // plain, YAML has its own mind
		}
		plain, okPlain := read(file(t, "number: "+text))
		require.Equal(t, ok, okPlain, "%q plain", text)
		require.Equal(t, number, plain, "%q plain", text)
	}
	t.Setenv("NUMBER", "010")
	s := defaults
	require.NoError(t, config.Load("", &s))
	require.Equal(t, 10, s.Number)
}

func quote(text string) string {
	return `"` + strings.NewReplacer("\n", `\n`, "\ufeff", `\ufeff`).Replace(text) + `"`
}

func TestFileAndEnvironment(t *testing.T) {
	path := file(t, "\ufeff# settings\nword: file\nnumber: 8\naddress: |\n  secret\nmapping: {table: orders}\npause: 90s\nyes: false\n")
	t.Setenv("WORD", "environment  \r\n")
	t.Setenv("PAUSE", "") // empty is as if it were not set
	s := defaults
	require.NoError(t, config.Load(path, &s))
	want := all{Word: "environment", Number: 8, Pause: 90 * time.Second}
	want.Address = "secret"
	want.Mapping.Table = "orders"
	require.Equal(t, want, s)
}

func TestFileThatSaysNothing(t *testing.T) {
	for _, text := range []string{"", "\n", "# only a comment\n", "---\n", "word:\nnumber: null\n", "\ufeff"} {
		s := defaults
		require.NoError(t, config.Load(file(t, text), &s), "%q", text)
		require.Equal(t, defaults, s, "%q", text)
	}
}

func TestErrorsNameTheSettingAndItsPlace(t *testing.T) {
	for text, want := range map[string]string{
		"word: a\nwrod: b":              `line 2, column 1: there is no setting "wrod"`,
		"word: a\nnumber: ten":          `NUMBER is "ten" in `,
		"number: ten":                   `settings.yaml, line 1, want a decimal number`,
		"pause: 5":                      `PAUSE is "5"`,
		"yes: maybe":                    `want true or false`,
		"word: [a, b]":                  `word is a list or a table, want one text`,
		"mapping: {tabel: x}":           `mapping: `,
		"- word":                        `it is no list of settings`,
		"word: a\n---\nword: b":         `2 documents`,
		"word: a\nword: b":              `word`,
		"address: s3cret\nnumber: [1":   `settings.yaml`,
		"address: {s3cret: s3cret}":     `address is a list or a table`,
		"address: \"s3cret\nnumber: 10": `settings.yaml`,
	} {
		s := defaults
		err := config.Load(file(t, text), &s)
		require.ErrorContains(t, err, want, "%q", text)
		require.NotContains(t, err.Error(), "s3cret", "%q", text)
	}
	t.Setenv("NUMBER", "many")
	s := defaults
	require.ErrorContains(t, config.Load("", &s), `NUMBER is "many" in the environment, want a decimal number`)
	require.ErrorContains(t, config.Load("/nowhere/at/all", &s), "/nowhere/at/all")
}

func TestSecretsInFiles(t *testing.T) {
	t.Parallel()
	secret, err := config.ReadSecret("X", "", file(t, "\ufeff hush\r\n \n"))
	require.NoError(t, err)
	require.Equal(t, " hush", secret.Reveal())
	_, err = config.ReadSecret("X", "hush", file(t, "hush"))
	require.ErrorContains(t, err, "X and X_FILE are both set")
	require.NotContains(t, err.Error(), "hush")
	_, err = config.ReadSecret("X", "", file(t, " \n"))
	require.ErrorContains(t, err, "X_FILE: the file is empty")
	_, err = config.ReadSecret("X", "", "/nowhere/at/all")
	require.ErrorIs(t, err, os.ErrNotExist)
}

// Whatever a file holds, it is read or refused, and one that is read means the same again.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{"word: a", "number: 010\npause: 1s", "\ufeff---\nword: |\n  a", "mapping: {table: &x a}\nword: *x", "? a\n: b", "{word: a}", "word: !!int a", "<<: {word: a}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path, s := file(t, text), defaults
		if config.Load(path, &s) == nil {
			again := s
			require.NoError(t, config.Load(path, &again))
			require.Equal(t, s, again)
		}
	})
}

// A setting that PostgreSQL cannot hold is refused, wherever it stands.
func TestSettingsAreText(t *testing.T) {
	t.Setenv("DATABASE_SCHEMA", "a\xff")
	require.ErrorContains(t, config.Load("", &illegible{}), "DATABASE_SCHEMA is not UTF-8 text in the environment")
}

type illegible struct {
	Schema string `env:"DATABASE_SCHEMA"`
}

func (*illegible) Validate() error { return nil }
