package address_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/address"
)

// A server beyond this machine that has no TLS gets nothing to read but the question for it.
func TestNothingIsSentInTheClear(t *testing.T) {
	cleanEnvironment(t)
	for _, text := range []string{
		"postgres://me:secret@db.example/x",
		"postgres://me:secret@127.0.0.1/x?host=db.example&sslmode=",
		"host=db.example dbname=x user=me password=secret",
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		got := make(chan []byte, 1)
		go func() {
			conn, err := listener.Accept()
			if err != nil {
				got <- nil
				return
			}
			defer conn.Close()
			question := make([]byte, 8)
			_, _ = io.ReadFull(conn, question)
			_, _ = conn.Write([]byte("N")) // no TLS here
			rest, _ := io.ReadAll(conn)
			got <- append(question, rest...)
		}()
		config, err := address.ParseDatabase(text)
		require.NoError(t, err)
		config.ConnConfig.LookupFunc = func(_ context.Context, host string) ([]string, error) {
			require.Equal(t, "db.example", host)
			return []string{listener.Addr().String()}, nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, err = pgx.ConnectConfig(ctx, config.ConnConfig)
		cancel()
		require.ErrorContains(t, err, "TLS")
		const sslRequest = 80877103
		require.Equal(t, binary.BigEndian.AppendUint32([]byte{0, 0, 0, 8}, sslRequest), <-got)
		require.NoError(t, listener.Close())
	}
}
