// An order and its event in one transaction, with sqlx.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"

	"go.example/saga/pkg/outbox"
	sagasql "go.example/saga/sql"
)

// Order is a business row.
type Order struct {
	ID       string `db:"id" json:"id"`
	Customer string `db:"customer" json:"customer"`
	Amount   int64  `db:"amount" json:"amount"`
}

func main() {
	if err := run(context.Background(), os.Getenv("DATABASE_URL"), "ada"); err != nil {
		log.Fatal(err)
	}
}

// run makes the tables where they are missing, and places an order.
func run(ctx context.Context, url, customer string) error {
	if err := sagasql.Up(ctx, url, "", sagasql.Outbox); err != nil {
		return err
	}
	db, err := sqlx.ConnectContext(ctx, "pgx", url)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, `
		CREATE TABLE IF NOT EXISTS orders (
			id       uuid   PRIMARY KEY DEFAULT gen_random_uuid(),
			customer text   NOT NULL,
			amount   bigint NOT NULL
		)`); err != nil {
		return err
	}
	return place(ctx, db, Order{Customer: customer, Amount: 4200})
}

// place commits the order and the event that tells of it, or neither.
func place(ctx context.Context, db *sqlx.DB, order Order) error {
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after a commit
	insert, err := tx.PrepareNamedContext(ctx, `INSERT INTO orders (customer, amount) VALUES (:customer, :amount) RETURNING *`)
	if err != nil {
		return err
	}
	if err := insert.GetContext(ctx, &order, order); err != nil {
		return err
	}
	payload, err := json.Marshal(order)
	if err != nil {
		return err
	}
	// sqlx's transaction is database/sql's with more methods.
	if err := outbox.AppendSQL(ctx, tx.Tx, outbox.Message{
		AggregateType: "order", AggregateID: order.ID, Type: "placed",
		Exchange: "events", RoutingKey: "order.placed", Payload: payload,
	}); err != nil {
		return err
	}
	return tx.Commit()
}
