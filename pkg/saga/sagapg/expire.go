package sagapg

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"go.example/saga/pkg/saga"
)

// Expired is what a call of [Store.Expire] did.
type Expired struct {
	// Deleted is how many sagas are gone, with their history.
	Deleted int
	// Last is the id of the last saga that was met, where the next call goes on; zero
	// when the walk has come to its end.
	Last saga.ID
}

// Expire deletes sagas that ended longer ago than keep: one step of a walk, from the
// oldest on, that meets at most limit sagas above the id after and remembers nothing.
// What it meets and may not delete it leaves behind for the next walk. Safe to repeat,
// and to run at several places at once.
//
// It goes by the ids that [Store.Start] draws, which rise with time: a saga of another
// kind of id may be kept for ever. A business key may be used again once its saga is
// gone, and a reply to that saga then belongs to none.
func (s *Store) Expire(ctx context.Context, db DB, keep time.Duration, after saga.ID, limit int) (Expired, error) {
	var expired Expired
	var met int
	var last *uuid.UUID
	err := db.QueryRow(ctx, s.query("expire"), keep.Microseconds(), uuid.UUID(after), limit).Scan(&met, &last, &expired.Deleted)
	if err != nil {
		return Expired{}, fmt.Errorf("delete sagas that ended more than %s ago (safe to retry): %w", keep, err)
	}
	if met == limit {
		expired.Last = saga.ID(value(last))
	}
	return expired, nil
}
