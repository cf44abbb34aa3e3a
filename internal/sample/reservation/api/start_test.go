package api_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.post(fmt.Sprintf(valid, canary), "Idempotency-Key", "k1")
	require.Equal(t, http.StatusAccepted, first.Code, first.Body)
	again := b.post(fmt.Sprintf(valid, canary), "Idempotency-Key", "k1")
	require.Equal(t, http.StatusAccepted, again.Code, again.Body)
	require.Equal(t, decode(t, first), decode(t, again))
	require.Equal(t, first.Header().Get("Location"), again.Header().Get("Location"))

	masked := b.post(fmt.Sprintf(valid, "************7999"), "Idempotency-Key", "k1")
	require.Equal(t, decode(t, first), decode(t, masked), "the card counts by its last four digits")

	for field, value := range map[string]string{
		"hotelId": `2`, "roomId": `2`, "startDate": `"2022-12-15"`, "endDate": `"2022-12-18"`,
		"guestId": `"g2"`, "paymentDue": `49901`, "creditCardNo": `"************7998"`,
	} {
		other := b.post(with(t, field, value), "Idempotency-Key", "k1")
		require.Equal(t, http.StatusConflict, other.Code, "%s: %s", field, other.Body)
		require.Contains(t, other.Body.String(), "header.Idempotency-Key")
	}
	require.Equal(t, [4]int{1, 1, 1, 1}, b.rows(t))

	require.NotEqual(t, decode(t, first), decode(t, b.post(fmt.Sprintf(valid, canary), "Idempotency-Key", "k2")))
	require.NotEqual(t, decode(t, first), decode(t, b.post(fmt.Sprintf(valid, canary))))
	require.Equal(t, [4]int{3, 3, 3, 3}, b.rows(t))
}

func TestConcurrentPostsUnderOneKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const clients = 32
	ids := make([]string, clients)
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			res := b.post(fmt.Sprintf(valid, canary), "Idempotency-Key", "same")
			if res.Code == http.StatusAccepted {
				ids[i] = decode(t, res).ReservationID
			}
		})
	}
	all.Wait()
	for _, id := range ids {
		require.NotEmpty(t, id)
		require.Equal(t, ids[0], id)
	}
	require.Equal(t, [4]int{1, 1, 1, 1}, b.rows(t))
}

// A start that fails half-way leaves nothing. The faults are planted in the
// database, after each of the writes and at the commit.
func TestHalfAStartLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, trigger := range map[string]string{
		"after the reservation": `CREATE TRIGGER t AFTER INSERT ON reservation FOR EACH ROW EXECUTE FUNCTION fault()`,
		"after the saga":        `CREATE TRIGGER t AFTER INSERT ON saga FOR EACH ROW EXECUTE FUNCTION fault()`,
		"after the history":     `CREATE TRIGGER t AFTER INSERT ON saga_history FOR EACH ROW EXECUTE FUNCTION fault()`,
		"after the message":     `CREATE TRIGGER t AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION fault()`,
		"at the commit": `CREATE CONSTRAINT TRIGGER t AFTER INSERT ON outbox
			DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fault()`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			ctx := context.Background()
			_, err := b.db.Exec(ctx, `CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS
				$$ BEGIN RAISE EXCEPTION 'planted: %', to_jsonb(NEW) USING DETAIL = to_jsonb(NEW)::text; END $$`)
			require.NoError(t, err)
			_, err = b.db.Exec(ctx, trigger)
			require.NoError(t, err)

			res := b.post(fmt.Sprintf(valid, canary), "Idempotency-Key", "k")
			require.Equal(t, http.StatusInternalServerError, res.Code, res.Body)
			require.NotContains(t, res.Body.String(), "planted", "the database's words are not for the client")
			require.Equal(t, [4]int{}, b.rows(t))
			require.Contains(t, b.log.String(), "planted")
			require.NotContains(t, b.log.String(), canary)

			_, err = b.db.Exec(ctx, `DROP FUNCTION fault CASCADE`)
			require.NoError(t, err)
			require.Equal(t, http.StatusAccepted, b.post(fmt.Sprintf(valid, canary), "Idempotency-Key", "k").Code)
			require.Equal(t, [4]int{1, 1, 1, 1}, b.rows(t))
		})
	}
}
