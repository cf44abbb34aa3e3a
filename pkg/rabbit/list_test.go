package rabbit_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/rabbit"
)

// deaf is an address that takes connections and never answers.
func deaf(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}

// Of several brokers the first that answers is used, however they are listed.
func TestBrokersAreTriedInTurn(t *testing.T) {
	t.Parallel()
	broker := testenv.Vhost(t)
	u, err := url.Parse(broker)
	require.NoError(t, err)
	elsewhere := func(host string) string {
		other := *u
		other.Host = host
		return other.String()
	}
	for name, text := range map[string]string{
		"comma":          elsewhere("127.0.0.1:1") + "," + broker,
		"white space":    elsewhere("127.0.0.1:1") + "\n " + broker,
		"hosts in one":   elsewhere("127.0.0.1:1," + u.Host),
		"silent":         elsewhere(deaf(t)) + " " + broker,
		"denied":         strings.Replace(broker, "@", "x@", 1) + " " + broker,
		"first answers":  broker + " " + elsewhere(deaf(t)),
		"TLS for itself": strings.Replace(elsewhere("127.0.0.1:1"), "amqp", "amqps", 1) + " " + broker,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := at(text)
			cfg.DialTimeout = 2 * time.Second
			start := time.Now()
			_, err := rabbit.Ping(testContext(t), cfg)
			require.NoError(t, err)
			require.Less(t, time.Since(start), 6*time.Second)
		})
	}
	t.Run("none answers in what time there is", func(t *testing.T) {
		t.Parallel()
		ctx := testContext(t)
		_, err := rabbit.Ping(ctx, at("amqp://127.0.0.1:1/v,amqp://127.0.0.1:2/v"))
		require.ErrorIs(t, err, rabbit.ErrUnreachable)
		require.ErrorContains(t, err, "127.0.0.1:1")
		require.ErrorContains(t, err, "127.0.0.1:2")
	})
}

// Several certificates, one for each broker: the name of each is checked.
func TestTLSOfEachBroker(t *testing.T) {
	t.Parallel()
	broker := testenv.Vhost(t)
	signer := newSigner(t)
	address := startTLS(t, broker, &tls.Config{Certificates: []tls.Certificate{signer}})
	u, err := url.Parse(address)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(signer.Leaf)
	settings := func() (*tls.Config, error) { return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil }

	u.Host = "localhost:" + u.Port() // the certificate is for 127.0.0.1 alone
	cfg := at(u.String())
	cfg.TLS = settings
	_, err = rabbit.Ping(testContext(t), cfg)
	require.ErrorIs(t, err, rabbit.ErrUnreachable)
	cfg = at(u.String() + " " + address)
	cfg.TLS = settings
	_, err = rabbit.Ping(testContext(t), cfg)
	require.NoError(t, err)
	cfg = at(address + " " + broker)
	cfg.TLS = settings
	_, err = rabbit.Ping(testContext(t), cfg)
	require.ErrorIs(t, err, rabbit.ErrURL, "with TLS settings nothing goes out in the clear")
}

// A broker that repeats the password in its answer does not make it known.
func TestBrokersWordsAreScrubbed(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	const password = "tell/tale"
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = conn.Read(make([]byte, 8))
		_, _ = conn.Write(closeFrame("no way in with " + password))
		_, _ = conn.Read(make([]byte, 64))
	}()
	_, err = rabbit.Ping(testContext(t), at("amqp://me:tell%2Ftale@"+listener.Addr().String()+"/"))
	require.Error(t, err)
	require.ErrorContains(t, err, "no way in with ***")
	require.NotContains(t, err.Error(), password)
}

// closeFrame is connection.close with a reason.
func closeFrame(reason string) []byte {
	payload := binary.BigEndian.AppendUint16(nil, 10)
	payload = binary.BigEndian.AppendUint16(payload, 50)
	payload = binary.BigEndian.AppendUint16(payload, 403)
	payload = append(payload, byte(len(reason)))
	payload = append(payload, reason...)
	payload = append(payload, 0, 0, 0, 0)
	frame := binary.BigEndian.AppendUint32([]byte{1, 0, 0}, uint32(len(payload)))
	return append(append(frame, payload...), 0xCE)
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"amqp://a:b@h/v":                  true,
		"amqps://a:b@h:1,i:2/v,amqp://j":  true,
		"":                                false,
		"amqp://a:b@h/v?heartbeat=s3cr":   false,
		"amqp://a:b@h/v?channel_max=-1":   false,
		"amqp://a:b@h/v,amqp://c:d@e@f/w": false,
		"amqp://///v":                     false,
	} {
		if err := rabbit.CheckURL(text); good {
			require.NoError(t, err, text)
		} else {
			require.ErrorIs(t, err, rabbit.ErrURL, text)
			require.NotContains(t, err.Error(), "s3cr")
		}
	}
}
