package relay

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/desk"
)

func TestVerdictsHaveAClass(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]string{
		outbox.ErrUnroutable:    desk.Unroutable,
		outbox.ErrNacked:        desk.Nacked,
		outbox.ErrUnpublishable: desk.Invalid,
		outbox.ErrFatal:         desk.Fatal,
		errNoConfirm:            "",
		errors.New("reset"):     "",
	} {
		require.Equal(t, want, reasonOf(fmt.Errorf("message 1: %w", err)), err)
	}
	require.Empty(t, reasonOf(nil))
}
