package participant_test

import (
	"context"

	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/saga"
)

// A step is two functions inside a transaction that the participant opens.
func Example() {
	_ = participant.Step{
		Request: func(ctx context.Context, tx pgx.Tx, cmd participant.Command) (jsonmap.JSONMap, error) {
			seats, err := tx.Exec(ctx, `UPDATE seat SET saga_id = $1 WHERE id = (SELECT id FROM seat WHERE saga_id IS NULL LIMIT 1 FOR UPDATE SKIP LOCKED)`, [16]byte(cmd.SagaID))
			if err != nil {
				return nil, err // a technical error: asked again later
			}
			if seats.RowsAffected() == 0 {
				return nil, participant.Refuse(saga.Problem{Title: "No seat left"}) // a business no: the saga goes back
			}
			return jsonmap.JSONMap{"seats": 1}, nil
		},
		Cancel: func(ctx context.Context, tx pgx.Tx, cmd participant.Command) error {
			_, err := tx.Exec(ctx, `UPDATE seat SET saga_id = NULL WHERE saga_id = $1`, [16]byte(cmd.SagaID))
			return err
		},
	}
}

// In a saga of mode TCC the seat is only kept free at first, and sold when all the
// other steps have what they need.
func Example_tryConfirmCancel() {
	with := func(query string) func(context.Context, pgx.Tx, participant.Command) error {
		return func(ctx context.Context, tx pgx.Tx, cmd participant.Command) error {
			_, err := tx.Exec(ctx, query, [16]byte(cmd.SagaID))
			return err
		}
	}
	_ = participant.Step{
		Request: func(ctx context.Context, tx pgx.Tx, cmd participant.Command) (jsonmap.JSONMap, error) {
			seats, err := tx.Exec(ctx, `UPDATE seat SET kept_for = $1 WHERE id = $2 AND kept_for IS NULL`, [16]byte(cmd.SagaID), cmd.Payload["seat"])
			if err == nil && seats.RowsAffected() == 0 {
				err = participant.Refuse(saga.Problem{Title: "The seat is taken"})
			}
			return nil, err
		},
		Confirm: with(`UPDATE seat SET sold = true WHERE kept_for = $1`),
		Cancel:  with(`UPDATE seat SET kept_for = NULL WHERE kept_for = $1`),
	}
}
