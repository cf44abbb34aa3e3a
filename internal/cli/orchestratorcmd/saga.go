package orchestratorcmd

import (
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"go.example/saga/internal/cli"
	"go.example/saga/pkg/saga"
	engine "go.example/saga/pkg/saga/orchestrator"
	"go.example/saga/pkg/saga/sagapg"
)

const sagaHelp = `See where sagas stand, and tell them what to do.

One saga is named by its id, or by --key TYPE/KEY. Several are chosen by the flags of
saga list. For several a command only shows what it would do and prints a token; with
--token it does it, to exactly those sagas or to none.`

func newSaga(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use: "saga", Short: "Look at sagas, and intervene", Long: sagaHelp,
		Example: `  orchestrator saga list --stuck
  orchestrator saga show --key room-reservation/R-4711
  orchestrator saga start room-reservation --key R-4711 --payload @reservation.json
  orchestrator saga retry 0193c0de-0000-7000-8000-000000000001
  orchestrator saga abort --type room-reservation --parked --reason "hotel is closed"`,
	}
	cmd.AddCommand(newSagaList(o), newSagaShow(o), newSagaStart(o), newSagaSignal(o))
	for _, v := range verbs {
		cmd.AddCommand(newSagaAct(o, v))
	}
	return cmd
}

// withEngine runs work with an engine that acts on the database, but reads no queue.
func (o *options) withEngine(cmd *cobra.Command, work func(*engine.Engine) error) error {
	return o.withStore(cmd.Context(), func(store *sagapg.Store, db *pgxpool.Pool) error {
		e, err := engine.New(engine.Config{DB: db, Store: store})
		if err != nil {
			return err
		}
		return coded(work(e))
	})
}

// coded gives an error its exit code.
func coded(err error) error {
	switch {
	case errors.Is(err, sagapg.ErrNoSaga):
		return cli.NotFoundf("%w", err)
	case errors.Is(err, sagapg.ErrSelection), errors.Is(err, engine.ErrEvent):
		return cli.Usagef("%w", err)
	case errors.Is(err, engine.ErrOutdated):
		return cli.Refusedf("%w", err)
	}
	return err
}

func sagaID(text string) (saga.ID, error) {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != len(uuid.UUID{}.String()) {
		return saga.ID{}, cli.Usagef("%q is not the id of a saga: it has to be a UUID", text)
	}
	return saga.ID(id), nil
}

func text(s *string) string {
	if s == nil {
		return "-"
	}
	return cli.Short(*s)
}

func age(seconds int64) string { return (time.Duration(seconds) * time.Second).String() }

// exactly is cobra.ExactArgs with an error that says what is missing.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return cli.Usagef("%s needs %s (see %s --help)", cmd.CommandPath(), what, cmd.CommandPath())
		}
		return nil
	}
}
