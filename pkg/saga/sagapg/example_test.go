package sagapg_test

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

type Order struct {
	ID     uuid.UUID
	Amount int64
}

// Place writes an order and starts its saga: both or neither.
func Place(ctx context.Context, db *pgxpool.Pool, trip saga.Definition, order Order) error {
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO orders (id, amount) VALUES ($1, $2)`, order.ID, order.Amount); err != nil {
			return err
		}
		_, _, err := sagapg.New("", "orders").Start(ctx, tx, trip, sagapg.StartRequest{
			BusinessKey: order.ID.String(), // starting twice under one key starts once
			Payload:     jsonmap.JSONMap{"orderId": order.ID.String(), "amount": order.Amount},
		})
		return err
	})
}

// Start a saga where you write your rows: commit, and it runs; roll back, and it
// never was. Place is the README's example.
func ExampleStore_Start() {
	_ = Place
}
