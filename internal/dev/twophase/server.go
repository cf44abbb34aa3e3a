package twophase

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/jackc/pgx/v5"

	"go.example/saga/internal/dev/instance"
	"go.example/saga/internal/dev/services"
)

// Permitted is an error where the server does not let a transaction of three databases be
// prepared, with what to set.
func Permitted(ctx context.Context, server string) error {
	var most int
	err := in(ctx, server, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT current_setting('max_prepared_transactions')::integer`).Scan(&most)
	})
	if err != nil {
		return fmt.Errorf("ask how many transactions may be prepared: %w", err)
	}
	if most < len(branches) {
		return &NotPermittedError{most}
	}
	return nil
}

// NotPermittedError says that transactions cannot be prepared on a server.
type NotPermittedError struct{ Most int }

func (e *NotPermittedError) Error() string {
	return fmt.Sprintf("max_prepared_transactions is %d on this server, and %d are needed, one a database. "+
		"Run ALTER SYSTEM SET max_prepared_transactions = 10 as a superuser and restart PostgreSQL", e.Most, len(branches))
}

// Private starts a PostgreSQL on which transactions may be prepared, from this machine's
// packages. It ends with stop, or with this process.
func Private(ctx context.Context) (url string, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "saga-2pc-")
	if err != nil {
		return "", nil, fmt.Errorf("make the directory of a private PostgreSQL: %w", err)
	}
	remove := func() error { return os.RemoveAll(dir) }
	// Where this is root, the server runs as the user postgres, which must be able to enter the folder.
	if err := os.Chmod(dir, 0o711); err != nil {
		return "", nil, errors.Join(err, remove())
	}
	server, err := instance.NewPostgres(instance.PostgresSettings{
		Bin: instance.PostgresPrograms(""), Dir: filepath.Join(dir, "postgres"),
		Options: []string{"-c", "max_prepared_transactions=10", "-c", "fsync=off"},
	})
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("start a private PostgreSQL (it needs the package postgresql): %w", err), remove())
	}
	stop = func() error { return errors.Join(server.End(syscall.SIGQUIT), remove()) }
	err = server.Start()
	if err == nil {
		err = server.Ready(ctx)
	}
	if err != nil {
		return "", nil, errors.Join(err, stop())
	}
	return server.URL(), stop, nil
}

// Find gives the usual server where it permits what is needed, else a private one.
func Find(ctx context.Context, usual string, report services.Report) (url string, stop func() error, err error) {
	return find(ctx, usual, report, Private)
}

func find(
	ctx context.Context, usual string, report services.Report, private func(context.Context) (string, func() error, error),
) (url string, stop func() error, err error) {
	err = Permitted(ctx, usual)
	var not *NotPermittedError
	if !errors.As(err, &not) {
		return usual, func() error { return nil }, err
	}
	report("the usual server refuses: %v", err)
	report("starting a private PostgreSQL with max_prepared_transactions = 10 for as long as this takes")
	url, stop, privateErr := private(ctx)
	if privateErr != nil {
		return "", nil, fmt.Errorf("%w\nA private server cannot be had either: %w", err, privateErr)
	}
	return url, stop, nil
}
