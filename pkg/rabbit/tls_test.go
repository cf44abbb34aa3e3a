package rabbit_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/rabbit"
)

func TestTLS(t *testing.T) {
	t.Parallel()
	broker := testenv.Vhost(t)
	declareReplies(t, broker)
	signer := newSigner(t)
	address := startTLS(t, broker, &tls.Config{Certificates: []tls.Certificate{signer}})

	cfg := at(address)
	_, err := rabbit.Ping(testContext(t), cfg)
	require.ErrorIs(t, err, rabbit.ErrUnreachable)
	require.ErrorContains(t, err, "certificate", "the system's roots do not know the signer")

	roots := x509.NewCertPool()
	roots.AddCert(signer.Leaf)
	settings := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}
	cfg.TLS = func() (*tls.Config, error) { return settings, nil }
	for range 2 {
		require.NoError(t, publishAll(t, publisher(t, cfg, 1), []*outbox.Record{to(replies, 1)})[0])
	}
	require.Empty(t, settings.ServerName, "the caller's configuration stays as it is")
}

// The files are read at each dial: what is replaced counts at the next.
func TestTLSFiles(t *testing.T) {
	t.Parallel()
	broker := testenv.Vhost(t)
	server, client := newSigner(t), newSigner(t)
	clients := x509.NewCertPool()
	clients.AddCert(client.Leaf)
	cfg := at(startTLS(t, broker, &tls.Config{
		Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
	}))
	ca, cert, key := filepath.Join(t.TempDir(), "ca"), filepath.Join(t.TempDir(), "cert"), filepath.Join(t.TempDir(), "key")
	cfg.TLS = rabbit.TLSFiles(ca, cert, key)
	ping := func() error { _, err := rabbit.Ping(testContext(t), cfg); return err }

	require.ErrorIs(t, ping(), fs.ErrNotExist)
	writeFile(t, ca, "no certificate")
	require.ErrorContains(t, ping(), ca)
	writePair(t, server, ca, key)
	writePair(t, server, cert, key)
	require.ErrorIs(t, ping(), rabbit.ErrUnreachable, "not the client that the broker knows")
	writePair(t, client, cert, key)
	require.NoError(t, ping())
	writePair(t, client, ca, key)
	require.ErrorIs(t, ping(), rabbit.ErrUnreachable, "not the broker that the client knows")
	writeFile(t, key, "no key")
	require.ErrorContains(t, ping(), key)

	require.Nil(t, rabbit.TLSFiles("", "", ""))
}

func TestTLSSettingsNeedTLS(t *testing.T) {
	t.Parallel()
	cfg := at(testenv.Vhost(t))
	cfg.TLS = func() (*tls.Config, error) { return &tls.Config{}, nil }
	_, err := rabbit.Ping(testContext(t), cfg)
	require.ErrorIs(t, err, rabbit.ErrURL)
	require.ErrorContains(t, err, "amqps")

	cfg.TLS = func() (*tls.Config, error) { return nil, nil }
	_, err = rabbit.Ping(testContext(t), cfg)
	require.NoError(t, err)
}

// newSigner is a certificate for 127.0.0.1 that is its own authority.
func newSigner(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func writePair(t *testing.T, pair tls.Certificate, cert, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(t, err)
	writeFile(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})))
	writeFile(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
}

// startTLS ends TLS in front of the broker and returns the URL.
func startTLS(t *testing.T, broker string, settings *tls.Config) string {
	t.Helper()
	u, err := url.Parse(broker)
	require.NoError(t, err)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", settings)
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
	return u.String()
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
