package rabbit_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/rabbit"
)

func TestTLS(t *testing.T) {
	t.Parallel()
	broker := testenv.Vhost(t)
	declareReplies(t, broker)
	address, roots := startTLS(t, broker)

	cfg := at(address)
	cfg.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}
	for range 2 {
		require.NoError(t, publishAll(t, publisher(t, cfg, 1), []*outbox.Record{to(replies, 1)})[0])
	}
	require.Empty(t, cfg.TLS.ServerName, "the caller's configuration stays as it is")

	cfg.TLS = nil
	_, err := rabbit.Ping(testContext(t), cfg)
	require.ErrorIs(t, err, rabbit.ErrUnreachable)
	require.ErrorContains(t, err, "certificate")
}

// startTLS ends TLS in front of the broker and returns the URL and who signed.
func startTLS(t *testing.T, broker string) (string, *x509.CertPool) {
	t.Helper()
	u, err := url.Parse(broker)
	require.NoError(t, err)
	signer := httptest.NewTLSServer(nil) // for its certificate
	signer.Close()
	roots := x509.NewCertPool()
	roots.AddCert(signer.Certificate())
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: signer.TLS.Certificates})
	require.NoError(t, err)

	var tasks sync.WaitGroup
	upstream := u.Host
	tasks.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			tasks.Go(func() { join(client, upstream) })
		}
	})
	t.Cleanup(tasks.Wait)
	t.Cleanup(func() { _ = listener.Close() })
	u.Scheme, u.Host = "amqps", listener.Addr().String()
	return u.String(), roots
}

// join copies both ways until either side ends.
func join(client net.Conn, upstream string) {
	defer client.Close()
	server, err := net.Dial("tcp", upstream)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	_, _ = io.Copy(client, server)
}
