package address_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/address"
)

func TestBrokers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"amqp://":                              "localhost:5672:/",
		"amqp://u:p@":                          "localhost:5672:/",
		"amqp://u:p@:7000/v":                   "localhost:7000:v",
		"amqps://h":                            "h:5671:/ TLS",
		"AMQP://h":                             "h:5672:/",
		"amqp://u:p@h/":                        "h:5672:/",
		"amqp://u:p@h/%2f":                     "h:5672:/",
		"amqp://u:p@h//v":                      "h:5672:/v",
		"amqp://u:p@h/a/b":                     "h:5672:a/b",
		"amqp://u:p@h/v?heartbeat=5":           "h:5672:v",
		"amqp://u:p@[::1]:7000/v":              "::1:7000:v",
		"amqp://u:p@[::1]/v":                   "::1:5672:v",
		"amqp://u:p@a:1,b:2/v":                 "a:1:v b:2:v",
		"amqps://u:p@a,b:2/v":                  "a:5671:v TLS b:2:v TLS",
		"amqp://u:p@[::1]:1,[::2]/":            "::1:1:/ ::2:5672:/",
		"amqp://u:p@a/v,amqps://u:q@b/w":       "a:5672:v b:5671:w TLS",
		"amqp://u:p@a/v amqp://u:q@b/w":        "a:5672:v b:5672:w",
		"\namqp://u:p@a/v ,\t amqp://u:q@b,\n": "a:5672:v b:5672:/",
		"amqp://u:a,b@a/v,amqp://u:c,d@b:1,c":  "a:5672:v b:1:/ c:5672:/",
	} {
		brokers, err := address.Brokers(text)
		require.NoError(t, err, text)
		var got []string
		for _, b := range brokers {
			got = append(got, strings.TrimSpace(fmt.Sprintf("%s:%d:%s %s", b.Host, b.Port, b.Vhost, map[bool]string{true: "TLS"}[b.TLS])))
		}
		require.Equal(t, want, strings.Join(got, " "), text)
	}
}

func TestSplitDatabases(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                                    nil,
		" , \n":                               nil,
		"postgres://a/x":                      {"postgres://a/x"},
		" postgres://a/x,\n":                  {"postgres://a/x"},
		"postgres://a/x postgresql://b/y":     {"postgres://a/x", "postgresql://b/y"},
		"postgres://a,b:2/x,postgres://c/y":   {"postgres://a,b:2/x", "postgres://c/y"},
		"postgres://a/x ,\n\t postgres://c/y": {"postgres://a/x", "postgres://c/y"},
		"postgres://a/x b/y":                  {"postgres://a/x b/y"},
		"host=a dbname=x":                     {"host=a dbname=x"},
		"host=a,b\ndbname=x":                  {"host=a,b\ndbname=x"},
		"host=a dbname=x postgres://c/y":      {"host=a dbname=x postgres://c/y"},
	} {
		require.Equal(t, want, address.SplitDatabases(text), text)
	}
}

// A list of both forms is judged: what stands in keywords is a database of its own there.
func TestDatabases(t *testing.T) {
	cleanEnvironment(t)
	texts, err := address.Databases("postgres://127.0.0.1,127.0.0.1/x?target_session_attrs=read-write\npostgres://127.0.0.1/y")
	require.NoError(t, err)
	require.Len(t, texts, 2)
	_, err = address.Databases("postgres://127.0.0.1/x postgres://127.0.0.1/kanari,y")
	require.ErrorContains(t, err, "entry 2 of 2")
	requireRefusal(t, err)
}
