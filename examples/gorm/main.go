// An order and its event in one transaction, with gorm.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"log"
	"os"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"go.example/saga/pkg/outbox"
	sagasql "go.example/saga/sql"
)

// Order is a business row.
type Order struct {
	ID       string `gorm:"primaryKey;type:uuid;default:gen_random_uuid()" json:"id"`
	Customer string `gorm:"not null" json:"customer"`
	Amount   int64  `gorm:"not null" json:"amount"`
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
	db, err := gorm.Open(postgres.Open(url), &gorm.Config{})
	if err != nil {
		return err
	}
	pool, err := db.DB()
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := db.WithContext(ctx).AutoMigrate(&Order{}); err != nil {
		return err
	}
	return place(ctx, db, &Order{Customer: customer, Amount: 4200})
}

// place commits the order and the event that tells of it, or neither.
func place(ctx context.Context, db *gorm.DB, order *Order) error {
	return db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Create(order).Error; err != nil {
			return err
		}
		payload, err := json.Marshal(order)
		if err != nil {
			return err
		}
		// Within Transaction, gorm's connection is database/sql's transaction; with
		// gorm.Config.PrepareStmt it is a *gorm.PreparedStmtTX, whose Tx is that one.
		return outbox.AppendSQL(ctx, tx.Statement.ConnPool.(*sql.Tx), outbox.Message{
			AggregateType: "order", AggregateID: order.ID, Type: "placed",
			Exchange: "events", RoutingKey: "order.placed", Payload: payload,
		})
	})
}
