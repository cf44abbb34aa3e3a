package twophase

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"go.example/saga/internal/dev/services"
)

// branch is one database's part of the act. Its table has one row.
type branch struct {
	name   string
	tables string
	act    string
	row    Row // without its URL
}

var branches = []branch{
	{
		name: "reservation",
		tables: `CREATE TABLE public.reservation (id integer PRIMARY KEY, status text NOT NULL);
			INSERT INTO public.reservation VALUES (1, 'PENDING')`,
		act: `UPDATE public.reservation SET status = 'SUCCEED' WHERE id = 1`,
		row: Row{
			Name: "reservation 1", Read: `SELECT status FROM public.reservation WHERE id = 1`,
			Lock: `SELECT FROM public.reservation WHERE id = 1 FOR UPDATE`, Write: `UPDATE public.reservation SET status = status WHERE id = 1`,
		},
	},
	{
		name: "hotel",
		tables: `CREATE TABLE public.room (id integer PRIMARY KEY, guest text NOT NULL);
			INSERT INTO public.room VALUES (1, 'nobody')`,
		act: `UPDATE public.room SET guest = 'ada' WHERE id = 1`,
		row: Row{
			Name: "room 1", Read: `SELECT guest FROM public.room WHERE id = 1`,
			Lock: `SELECT FROM public.room WHERE id = 1 FOR UPDATE`, Write: `UPDATE public.room SET guest = guest WHERE id = 1`,
		},
	},
	{
		name: "payment",
		tables: `CREATE TABLE public.account (id integer PRIMARY KEY, balance bigint NOT NULL);
			INSERT INTO public.account VALUES (1, 100000)`,
		act: `UPDATE public.account SET balance = balance - 49900 WHERE id = 1`,
		row: Row{
			Name: "account 1", Read: `SELECT balance::text FROM public.account WHERE id = 1`,
			Lock: `SELECT FROM public.account WHERE id = 1 FOR UPDATE`, Write: `UPDATE public.account SET balance = balance WHERE id = 1`,
		},
	},
}

func (b branch) database() string { return services.TwoPhasePrefix + b.name }

// url reaches the branch's database on the server.
func (b branch) url(server string) string {
	return services.Postgres{URL: server}.Database(b.database())
}

// gid names the branch's part of a transaction.
func (b branch) gid(transaction string) string { return transaction + "." + b.name }

// rows are the branches' rows.
func rows(server string) []Row {
	var all []Row
	for _, b := range branches {
		row := b.row
		row.URL = b.url(server)
		all = append(all, row)
	}
	return all
}

// makeDatabases makes the branches' databases; what an earlier run left is removed first.
func makeDatabases(ctx context.Context, server string) error {
	if err := Clean(ctx, server); err != nil {
		return err
	}
	for _, b := range branches {
		if err := (services.Postgres{URL: server}).CreateDatabase(ctx, b.database(), ""); err != nil {
			return err
		}
		if err := in(ctx, b.url(server), func(conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, b.tables)
			return err
		}); err != nil {
			return fmt.Errorf("make the table in %s: %w", b.database(), err)
		}
	}
	return nil
}

const (
	cleanTime = 30 * time.Second
	// objectInUse is the SQLSTATE of a drop that a prepared transaction prevents.
	objectInUse = "55006"
)

// Clean rolls back all that is prepared in the branches' databases, and drops them. It has a
// time of its own, so that it is done after an interrupt too; what a coordinator that was
// killed has sent to the server may still be prepared meanwhile, and then it begins anew.
// Databases of that name which the project has not made are left alone, and are an error.
func Clean(ctx context.Context, server string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		err := cleanOnce(ctx, server)
		if err == nil {
			return nil
		}
		var reply *pgconn.PgError
		if errors.As(err, &reply) && reply.Code == objectInUse {
			select {
			case <-again.C:
				continue
			case <-ctx.Done():
			}
		}
		return fmt.Errorf("remove the databases %s*: %w\nWhat is prepared there holds its locks until somebody says ROLLBACK PREPARED; "+
			"SELECT * FROM pg_prepared_xacts lists it", services.TwoPhasePrefix, err)
	}
}

func cleanOnce(ctx context.Context, server string) error {
	made, err := services.Postgres{URL: server}.Databases(ctx)
	errs := []error{err}
	for _, b := range branches {
		if slices.Contains(made, b.database()) {
			errs = append(errs, in(ctx, b.url(server), func(conn *pgx.Conn) error { return rollBackAll(ctx, conn) }))
		}
		errs = append(errs, services.Postgres{URL: server}.DropDatabases(ctx, b.database()))
	}
	return errors.Join(errs...)
}

// rollBackAll forgets whatever is prepared in the session's database.
func rollBackAll(ctx context.Context, conn *pgx.Conn) error {
	gids, err := prepared(ctx, conn, "")
	if err != nil {
		return err
	}
	for _, gid := range gids {
		if err := finish(ctx, conn, false, gid); err != nil {
			return err
		}
	}
	return nil
}

// prepared are those transactions of the session's database that are prepared and whose name
// begins so.
func prepared(ctx context.Context, conn *pgx.Conn, prefix string) ([]string, error) {
	var gids []string
	err := conn.QueryRow(ctx, `SELECT coalesce(array_agg(gid), '{}') FROM pg_catalog.pg_prepared_xacts
		WHERE database = current_database() AND starts_with(gid, $1)`, prefix).Scan(&gids)
	if err != nil {
		return nil, fmt.Errorf("ask what is prepared: %w", err)
	}
	return gids, nil
}

// finish is the second phase of one branch.
func finish(ctx context.Context, conn *pgx.Conn, commit bool, gid string) error {
	statement := "ROLLBACK PREPARED "
	if commit {
		statement = "COMMIT PREPARED "
	}
	statement += literal(gid)
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

// literal quotes a transaction's name, which cannot be a parameter.
func literal(gid string) string { return "'" + gid + "'" } // made of letters, digits, points and dashes by us

// in works on a session of its own.
func in(ctx context.Context, url string, work func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return work(conn)
}
