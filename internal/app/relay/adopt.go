package relay

import (
	"context"
	"errors"

	"go.example/saga/pkg/outbox/adopt"
)

// Adopt makes the mapping's table the outbox of every database, or only looks what
// there is to do, and tells of each. What fails in one does not keep it from the
// others.
func Adopt(ctx context.Context, s Settings, yes bool, tell func(database string, plan adopt.Plan)) error {
	databases, closeAll, err := openDatabases(ctx, s, name+"-adopt")
	if err != nil {
		return err
	}
	defer closeAll()
	work := adopt.Prepare
	if yes {
		work = adopt.Apply
	}
	var errs []error
	for _, d := range databases {
		plan, err := work(ctx, d.pool, d.schema, s.Adopt)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		tell(d.name, plan)
	}
	return errors.Join(errs...)
}
