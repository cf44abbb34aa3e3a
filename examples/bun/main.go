// An order and its event in one transaction, with bun.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"log"
	"os"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"go.example/saga/pkg/outbox"
	sagasql "go.example/saga/sql"
)

// Order is a business row.
type Order struct {
	ID       string `bun:"id,pk,type:uuid,nullzero,default:gen_random_uuid()" json:"id"`
	Customer string `bun:"customer,notnull" json:"customer"`
	Amount   int64  `bun:"amount,notnull" json:"amount"`
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
	pool, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	db := bun.NewDB(pool, pgdialect.New())
	defer db.Close()
	if _, err := db.NewCreateTable().Model((*Order)(nil)).IfNotExists().Exec(ctx); err != nil {
		return err
	}
	return place(ctx, db, &Order{Customer: customer, Amount: 4200})
}

// place commits the order and the event that tells of it, or neither.
func place(ctx context.Context, db *bun.DB, order *Order) error {
	return db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(order).Returning("*").Exec(ctx); err != nil {
			return err
		}
		payload, err := json.Marshal(order)
		if err != nil {
			return err
		}
		// bun's transaction is database/sql's with more methods.
		return outbox.AppendSQL(ctx, tx.Tx, outbox.Message{
			AggregateType: "order", AggregateID: order.ID, Type: "placed",
			Exchange: "events", RoutingKey: "order.placed", Payload: payload,
		})
	})
}
