package rabbit_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/rabbit"
)

// What is there is told with its consumers; what is not is no error, and is not made.
func TestInspect(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	declareReplies(t, url)
	defer consumer(t, at(url), replies, 1).Close()
	for range 2 {
		states, err := rabbit.Inspect(testContext(t), at(url), "nowhere", replies)
		require.NoError(t, err)
		require.Equal(t, []rabbit.QueueState{{Name: "nowhere"}, {Name: replies, Exists: true, Consumers: 1}}, states)
	}
	_, err := rabbit.Inspect(testContext(t), at("amqp://guest:wrong@127.0.0.1:5672/"))
	require.ErrorIs(t, err, rabbit.ErrDenied)
}
