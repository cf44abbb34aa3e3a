package hotel_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"go.example/saga/internal/testenv"
	sagasql "go.example/saga/sql"
)

// A request is granted exactly when no night of it is held by somebody else,
// whatever was booked and released before.
func TestGrantsExactlyWhatIsFree(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t, sagasql.Hotel)
	first := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(r *rapid.T) {
		_, err := db.Exec(context.Background(), `DELETE FROM booking`)
		require.NoError(r, err)
		held := map[int]uuid.UUID{} // night → saga
		for range rapid.IntRange(1, 15).Draw(r, "steps") {
			from := rapid.IntRange(0, 9).Draw(r, "from")
			to := rapid.IntRange(from+1, 10).Draw(r, "to")
			cmd := command(uuid.New(), 1, first.AddDate(0, 0, from).Format(time.DateOnly), first.AddDate(0, 0, to).Format(time.DateOnly))
			free := true
			for night := from; night < to; night++ {
				free = free && held[night] == uuid.Nil
			}
			_, err := book(t, db, cmd)
			require.Equal(r, free, err == nil, "nights %d to %d: %v", from, to, err)
			for night := from; free && night < to; night++ {
				held[night] = uuid.UUID(cmd.SagaID)
			}
			if rapid.Bool().Draw(r, "release") {
				gone := held[rapid.IntRange(0, 9).Draw(r, "whose")]
				cancel(t, db, command(gone, 1, "", ""))
				for night, id := range held {
					if id == gone {
						delete(held, night)
					}
				}
			}
		}
	})
}
