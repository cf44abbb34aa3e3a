package sagapg

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/saga"
)

// Key names a saga as who started it does.
type Key struct{ Type, BusinessKey string }

// ByKeys returns the sagas that exist under the keys.
func (s *Store) ByKeys(ctx context.Context, db DB, keys []Key) (map[Key]saga.ID, error) {
	types, names := make([]string, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		types[i], names[i] = k.Type, k.BusinessKey
	}
	found := make(map[Key]saga.ID, len(keys))
	rows, _ := db.Query(ctx, s.query("by_keys"), types, names)
	var key Key
	var id uuid.UUID
	_, err := pgx.ForEachRow(rows, []any{&key.Type, &key.BusinessKey, &id}, func() error {
		found[key] = saga.ID(id)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for sagas by %d business keys (safe to retry): %w", len(keys), err)
	}
	return found, nil
}
