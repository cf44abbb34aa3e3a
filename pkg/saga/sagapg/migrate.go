package sagapg

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/saga"
)

// OtherVersions chooses the sagas of a definition that have not ended and follow
// another version of it.
type OtherVersions struct {
	// Name is the definition's, To the version that they do not follow.
	Name string
	To   int
	// From leaves only those that follow this version; 0 leaves all.
	From int
}

// OnOtherVersion returns the ids of at most limit of those sagas above the id after,
// the lowest first. They are not locked: look again when they are.
func (s *Store) OnOtherVersion(ctx context.Context, db DB, which OtherVersions, after saga.ID, limit int) ([]saga.ID, error) {
	rows, _ := db.Query(ctx, s.query("other_version"), which.Name, which.To, which.From, uuid.UUID(after), limit)
	ids, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (id saga.ID, err error) {
		return id, row.Scan((*uuid.UUID)(&id))
	})
	if err != nil {
		return nil, fmt.Errorf("find the sagas of %s on another version than %d (safe to retry): %w", which.Name, which.To, err)
	}
	return ids, nil
}
