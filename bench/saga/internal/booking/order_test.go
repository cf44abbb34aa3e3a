package booking_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/bench/saga/internal/booking"
)

// A tenth of the cards is declined, and no two orders are after the same night.
func TestOrders(t *testing.T) {
	t.Parallel()
	declined, nights := 0, map[string]bool{}
	for n := range 5000 {
		r, err := booking.Order(n).Request()
		require.NoError(t, err)
		if booking.Order(n).Declined() {
			declined++
			require.Equal(t, "9999", r.Card.LastFour())
		}
		nights[fmt.Sprint(r.RoomID, r.Start)] = true
	}
	require.Equal(t, 500, declined)
	require.Len(t, nights, 5000)
}
