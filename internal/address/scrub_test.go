package address_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/address"
)

func TestScrub(t *testing.T) {
	cleanEnvironment(t)
	_, err := address.ParseDatabase(`postgres://me:lo%2Fng%22Secret@127.0.0.1/x`)
	require.NoError(t, err)
	_, err = address.Brokers("amqp://guest:guest@h/v,amqp://me:fly@h/v,amqp://me:mouse@h/v")
	require.NoError(t, err)
	_, err = address.ParseDatabase("host=127.0.0.1 dbname=cheese user=me password=cheese")
	require.NoError(t, err)
	for text, want := range map[string]string{
		`no lo/ng"Secret here`:                       `no *** here`,
		`xlo%2Fng%22Secretx`:                         `x***x`,
		`{"x":"lo/ng\"Secret"}`:                      `{"x":"***"}`,
		`login "mouse" was refused, mousetrap`:       `login "***" was refused, mousetrap`,
		`mouse`:                                      `***`,
		`guest is a user`:                            `guest is a user`,
		`time flies, fly`:                            `time flies, fly`,
		`database cheese`:                            `database cheese`,
		"failed to connect to `user=me database=x`:": "failed to connect to `database=x`:",
	} {
		require.Equal(t, want, address.Scrub(text))
	}
	require.NoError(t, address.ScrubError(nil))
	require.Equal(t, io.EOF, address.ScrubError(io.EOF), "what holds no secret stays as it is")
	err = address.ScrubError(fmt.Errorf("a mouse: %w", io.EOF))
	require.EqualError(t, err, "a ***: EOF")
	require.ErrorIs(t, err, io.EOF)
}
