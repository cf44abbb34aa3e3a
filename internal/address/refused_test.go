package address_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/address"
)

// special are the characters that get passwords wrong.
var special = []string{"@", "/", "#", "?", ":", "%", ",", "'", `"`, `\`, " "}

// A password with a special character is read as it was meant, or refused; never is a piece
// of it a host or a database, and never is it shown.
func TestSpecialCharactersInPasswords(t *testing.T) {
	cleanEnvironment(t)
	for _, c := range special {
		password := "kanari" + c + "vogel"
		encoded := url.QueryEscape(password)
		if c == " " {
			encoded = "kanari%20vogel"
		}
		quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(password)
		for text, sure := range map[string]bool{
			"postgres://me:" + encoded + "@127.0.0.1/x":          true,
			"postgres://127.0.0.1/x?user=me&password=" + encoded: true,
			"host=127.0.0.1 dbname=x password='" + quoted + "'":  true,
			"postgres://me:" + password + "@127.0.0.1/x":         false,
			"postgres://127.0.0.1/x?password=" + password:        false,
			"host=127.0.0.1 dbname=x password=" + password:       false,
			"password=" + password + " host=127.0.0.1 dbname=x":  false,
		} {
			config, err := address.ParseDatabase(text)
			if err != nil {
				require.False(t, sure, text)
				requireRefusal(t, err)
				continue
			}
			conn := config.ConnConfig
			require.Equal(t, []string{password, "127.0.0.1", "x"}, []string{conn.Password, conn.Host, conn.Database}, text)
			require.Empty(t, conn.RuntimeParams, text)
			require.Equal(t, here, strings.Join(dials(config), ","), text)
		}
		brokers, err := address.Brokers("amqp://me:" + encoded + "@127.0.0.1/x")
		require.NoError(t, err)
		require.Equal(t, "127.0.0.1", brokers[0].Host)
		for _, text := range []string{"amqp://me:" + password + "@127.0.0.1/x", "amqp://me@127.0.0.1/x?password=" + password} {
			brokers, err := address.Brokers(text)
			if err != nil {
				requireRefusal(t, err)
				continue
			}
			require.Len(t, brokers, 1)
			require.Equal(t, []string{"127.0.0.1", "x"}, []string{brokers[0].Host, brokers[0].Vhost}, text)
		}
	}
}

func requireRefusal(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, address.ErrRefused)
	require.NotContains(t, err.Error(), "kanari")
	require.NotContains(t, err.Error(), "vogel")
}

func TestRefused(t *testing.T) {
	cleanEnvironment(t)
	for text, want := range map[string]string{
		"postgres://u:p@kanari@h/x":                        `"@" may stand in it once`,
		"postgres://u:12/kanari@h/x":                       `"@" may stand in it once`,
		"postgres://h/x?user=a@vogel":                      `"@" may stand in it once`,
		"postgres://h?user=a@vogel":                        `"@" may stand in it once`,
		"postgres://u:p#kanari@h/x":                        "fragment",
		"postgres://u:p@h/x#kanari":                        "fragment",
		"postgres://u:kan%ari@h/x":                         "%",
		"postgres://u:kanari%":                             "%",
		"postgres://u:kanari%4@h/x":                        "%",
		"postgres://u:kanari%00@h/x":                       "client cannot read it",
		"postgres://u:kanari%1f@h/x":                       "stands for no character",
		"postgres://u:kanari%ffvogel@h/x":                  "stands for no character",
		"postgres://u:p@h:kanari/x":                        "client cannot read it",
		"postgres://u:p@kan%40ari/x":                       "a host is no plain name",
		"postgres://u:p@kanari..vogel/x":                   "a host is no plain name",
		"postgres://u:p@-kanari/x":                         "a host is no plain name",
		"postgres://u:p@[kanari]/x":                        "no IPv6 address",
		"postgres://u:p@h/kanari%2Fvogel":                  "name is not plain",
		"postgres://u:p@h/kanari,vogel":                    "name is not plain",
		"postgres://u:p@h/":                                "names no database",
		"postgres://u:p@h/x?kanari":                        "no known setting",
		"postgres://u:p@h/x?kanari=vogel":                  "no known setting",
		"postgres://u:p@h/x?sslmode=disable&sslmode=allow": "stands in it twice",
		"postgres://u:p@h/x?sslmode=kanari":                "client cannot read it",
		"postgres://u:p@h/x?ssl%6dode=disable":             "no known setting",
		"postgres://h/x?ssl=kanari":                        "ssl may only be true",
		"postgres://h/x?sslrootcert=/kanari":               "a file that it names cannot be read: no such file",
		"postgres://h1/a postgres://h2/b":                  "a space",
		"POSTGRES://h/x":                                   "does not begin with postgres://",
		"mysql://u:kanari@h/x":                             "does not begin with postgres://",
		"host=h dbname=x postgres://u:kanari@h/y":          "does not begin with postgres://",
		"host=h dbname=postgres://u:kanari@h/y":            "does not begin with postgres://",
		"host=a dbname=x host=b dbname=y":                  "twice",
		"host=a dbname=x,host=b dbname=y":                  "twice",
		"host=a dbname=x,host=b":                           "name is not plain",
		"dbname=x database=y host=a":                       "twice",
		"host=h dbname=x password=p kanari=vogel":          "no known setting",
		"host=h dbname=x password='kanari":                 "in doubt",
		"host=h dbname=x password='kanari'vogel":           "in doubt",
		"host=h dbname=x password=kan'ari'":                "in doubt",
		`host=h dbname=x password=kanari\`:                 "in doubt",
		`host=h dbname=x password='kan\ari'`:               "in doubt",
		"kanari":                                           "no known setting",
		"not a url at all: \x7f%zz":                        "no known setting",
	} {
		_, err := address.ParseDatabase(text)
		require.Error(t, err, text)
		require.ErrorContains(t, err, want, text)
		requireRefusal(t, err)
	}
}

func TestRefusedBrokers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                   "empty",
		" ,\n":                               "empty",
		"http://u:kanari@h/":                 "neither amqp:// nor amqps://",
		"h:5672":                             "neither amqp:// nor amqps://",
		"amqp:h":                             "neither amqp:// nor amqps://",
		"amqp://u:p@kanari@h/":               `"@" may stand in it once`,
		"amqp://u:12/kanari@h/":              `"@" may stand in it once`,
		"amqp://u:12?kanari@h/":              `"@" may stand in it once`,
		"amqp://u:p#kanari@h/":               "fragment",
		"amqp://u:kan%ari@h/":                "%",
		"amqp://u:kanari%07@h/":              "stands for no character",
		"amqp://u:p@h:kanari/":               "port",
		"amqp://u:p@h:0/":                    "port",
		"amqp://u:p@h:65536/":                "port",
		"amqp://u:p@h:/":                     "port",
		"amqp://u:p@kanari!/":                "a host is no plain name",
		"amqp://u:p@kan%61ri/":               "a host is no plain name",
		"amqp://u:p@[kanari]/":               "a host is no plain name",
		"amqp://u:p@::1:5672/":               "a host is no plain name",
		"amqp://u:p@[]:5672/":                "a host is no plain name",
		"amqp://u:p@a,,b/":                   "a host is missing",
		"amqp://u:p@a/v,b":                   "virtual host",
		"amqp://u:p@h/kanari%40vogel":        "virtual host",
		"amqp://u:p@h/kanari%0a":             "virtual host",
		"amqp://h/ kanari":                   "a space",
		"amqp://u:p@a/ amqp://u:kanari,@b@c": "entry 2 of 2",
	} {
		_, err := address.Brokers(text)
		require.Error(t, err, text)
		require.ErrorContains(t, err, want, text)
		requireRefusal(t, err)
	}
}
