package rabbit_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/rabbit"
)

func TestPing(t *testing.T) {
	t.Parallel()
	version, err := rabbit.Ping(testContext(t), at(testenv.Vhost(t)))
	require.NoError(t, err)
	require.Regexp(t, `^\d+\.\d+`, version)
}

func TestDenied(t *testing.T) {
	t.Parallel()
	secret := rand.Text()
	wrongPassword, err := url.Parse(testenv.Vhost(t))
	require.NoError(t, err)
	noVhost := *wrongPassword
	noVhost.Path = "/" + rand.Text()
	noMechanism := *wrongPassword
	noMechanism.RawQuery = "auth_mechanism=external"
	wrongPassword.User = url.UserPassword(wrongPassword.User.Username(), secret)

	for name, u := range map[string]string{
		"password":  wrongPassword.String(),
		"vhost":     noVhost.String(),
		"mechanism": noMechanism.String(),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := rabbit.Ping(testContext(t), at(u))
			require.ErrorIs(t, err, rabbit.ErrDenied)
			require.NotErrorIs(t, err, rabbit.ErrUnreachable)
			require.NotContains(t, err.Error(), secret)
			require.Less(t, time.Since(start), 2*time.Second, "the broker was asked to say why at once")
		})
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())

	for name, address := range map[string]string{"silent": silent.Addr().String(), "closed": closed.Addr().String()} {
		for _, scheme := range []string{"amqp", "amqps"} {
			t.Run(name+" "+scheme, func(t *testing.T) {
				cfg := at(scheme + "://u:hushhush@" + address + "/")
				cfg.DialTimeout = 200 * time.Millisecond
				start := time.Now()
				_, err := rabbit.Ping(testContext(t), cfg)
				require.ErrorIs(t, err, rabbit.ErrUnreachable)
				require.NotErrorIs(t, err, rabbit.ErrDenied)
				require.NotContains(t, err.Error(), "hushhush")
				require.Less(t, time.Since(start), 2*time.Second)
			})
		}
	}
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		_, err := rabbit.Ping(ctx, at("amqp://"+silent.Addr().String()))
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestURLNeverShows(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"amqp://svc:s3cr%tPW@127.0.0.1/",
		"amqp://svc:s3cr/tPW@127.0.0.1/",
		"amqp://svc:123/s3crtPW@127.0.0.1/",
		"amqp://svc:123#s3crtPW@127.0.0.1/",
		"amqp://svc:s3cr tPW@127.0.0.1/",
		"amqp://svc:s3crtPW@127.0.0.1:s3crtPW/",
		"amqp://svc:s3crtPW@127.0.0.1/?heartbeat=s3crtPW",
		"http://svc:s3crtPW@127.0.0.1/",
	} {
		_, err := rabbit.Ping(testContext(t), at(text))
		require.ErrorIs(t, err, rabbit.ErrURL, text)
		require.NotContains(t, err.Error(), "s3cr", text)
		require.NotContains(t, err.Error(), "123", text)
	}
}

func TestURLProviderFails(t *testing.T) {
	t.Parallel()
	gone := errors.New("the secret's file is gone")
	_, err := rabbit.Ping(testContext(t), rabbit.Config{URL: func(context.Context) (string, error) { return "", gone }})
	require.ErrorIs(t, err, gone)
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]rabbit.Config{
		"no URL":            {},
		"heartbeat too low": {URL: at("").URL, Heartbeat: time.Millisecond},
		"negative timeout":  {URL: at("").URL, WriteTimeout: -1},
		"long name":         {URL: at("").URL, Name: string(make([]byte, 256))},
	} {
		_, err := rabbit.Ping(t.Context(), cfg)
		require.ErrorContains(t, err, "rabbit: Config.", name)
	}
	_, err := rabbit.OpenPublisher(t.Context(), at(""), 0)
	require.ErrorContains(t, err, "window")
	_, err = rabbit.OpenConsumer(t.Context(), at(""), rabbit.Topology{}, "q", 1<<16)
	require.ErrorContains(t, err, "prefetch")
}

func TestRecoveryOfTheLibraryIsOff(t *testing.T) {
	t.Parallel()
	p := publisher(t, at(testenv.Vhost(t)), 1)
	require.False(t, p.Recovers())
}
