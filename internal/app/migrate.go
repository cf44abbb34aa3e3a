package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	sagasql "go.example/saga/sql"
)

// Migrate brings the lines of a database up to date, and names the service that its
// schema belongs to. It may be repeated at any time, also by several at once. Where the
// schema is another service's, the error Is [sagasql.ErrOtherService].
func Migrate(ctx context.Context, url Address, schema, service string, lines ...sagasql.Line) error {
	text, err := url()
	if err != nil {
		return err
	}
	pool, err := OpenPool(ctx, url, service+"-migrate", 1)
	if err != nil {
		return err
	}
	defer ClosePools(pool)
	// Where another service is at home, nothing is made. All other errors are Up's to tell.
	_, err = sagasql.LoadService(ctx, pool, schema, service)
	if !errors.Is(err, sagasql.ErrOtherService) {
		if err := sagasql.Up(ctx, text.Reveal(), schema, lines...); err != nil {
			return err
		}
		_, err = sagasql.NameService(ctx, pool, schema, service)
	}
	if err != nil {
		return fmt.Errorf("migrate database %s, schema %s: %w", pool.Config().ConnConfig.Database, cmp.Or(schema, "public"), err)
	}
	return nil
}
