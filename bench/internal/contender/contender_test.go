package contender_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/bench/internal/contender"
	"go.example/saga/bench/internal/lab"
	"go.example/saga/bench/internal/wire"
	"go.example/saga/internal/testenv"
)

// TestMain also plays the contenders: they are this program again.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == contender.Verb {
		if err := contender.Run(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	testenv.Main(m)
}

// Whoever moves the messages, every one arrives and is the same.
func TestContendersMoveTheSameMessages(t *testing.T) {
	t.Parallel()
	l, err := lab.Open(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	programs, err := l.Build(t.Context(), "relay")
	require.NoError(t, err)
	for _, c := range contender.All(filepath.Join(programs, "relay")) {
		t.Run(c.Name, func(t *testing.T) {
			const rows = 700
			queue, err := l.Queue(lab.Quorum)
			require.NoError(t, err)
			database, err := l.Database(t.Context())
			require.NoError(t, err)
			job := contender.Job{Database: database, AMQP: l.AMQP, Queue: queue.Name, Rows: rows}
			require.NoError(t, c.Fill(t.Context(), job))
			command, err := c.Command(job)
			require.NoError(t, err)
			process, err := l.Start(command)
			require.NoError(t, err)
			deliveries, err := queue.Consume()
			require.NoError(t, err)

			source, seen := wire.NewSource(queue.Name, rows), map[int]bool{}
			for range rows {
				select {
				case delivery := <-deliveries:
					require.NoError(t, source.Check(delivery))
					n, err := wire.Number(delivery.Body)
					require.NoError(t, err)
					seen[n] = true
				case <-process.Exited():
					t.Fatal(process.Ended())
				}
			}
			require.Len(t, seen, rows)
			require.NoError(t, process.Stop())
			require.NoError(t, queue.Delete())
		})
	}
}
