package hotel_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/participant"
	sagasql "go.example/saga/sql"
)

// A request is granted exactly when no night of it is held by somebody else,
// whatever was booked and released before; of those that ask at once the one that comes
// earlier is asked first.
func TestGrantsExactlyWhatIsFree(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t, sagasql.Hotel)
	first := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(r *rapid.T) {
		_, err := db.Exec(context.Background(), `DELETE FROM booking`)
		require.NoError(r, err)
		held := map[int]uuid.UUID{} // night → saga
		for range rapid.IntRange(1, 10).Draw(r, "steps") {
			var wishes []wish
			var cmds []participant.Command
			for n := range rapid.IntRange(1, 4).Draw(r, "at once") {
				from := rapid.IntRange(0, 9).Draw(r, "from")
				w := wish{place: n, from: from, to: rapid.IntRange(from+1, 10).Draw(r, "to"), id: uuid.New()}
				wishes = append(wishes, w)
				cmds = append(cmds, command(w.id, 1, first.AddDate(0, 0, w.from).Format(time.DateOnly), first.AddDate(0, 0, w.to).Format(time.DateOnly)))
			}
			refusals := bookAll(t, db, cmds...)
			slices.SortStableFunc(wishes, func(a, b wish) int { return a.from - b.from })
			for _, w := range wishes {
				free := true
				for night := w.from; night < w.to; night++ {
					free = free && held[night] == uuid.Nil
				}
				require.Equal(r, free, refusals[w.place] == "", "nights %d to %d of %v", w.from, w.to, wishes)
				for night := w.from; free && night < w.to; night++ {
					held[night] = w.id
				}
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

type wish struct {
	place, from, to int
	id              uuid.UUID
}
