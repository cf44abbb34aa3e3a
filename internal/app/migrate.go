package app

import (
	"context"
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
	if err := sagasql.Up(ctx, text.Reveal(), schema, lines...); err != nil {
		return err
	}
	pool, err := OpenPool(ctx, url, service+"-migrate", 1)
	if err != nil {
		return err
	}
	defer ClosePools(pool)
	if _, err := sagasql.NameService(ctx, pool, schema, service); err != nil {
		return fmt.Errorf("migrate database %s: %w", pool.Config().ConnConfig.Database, err)
	}
	return nil
}
