// Command start begins sagas of the definition trip, as the service orders does.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga/sagapg"
	"go.example/saga/pkg/saga/sagayaml"
)

func main() {
	definition := flag.String("definition", "participants/trip.yaml", "`file` of the definition, which is applied already")
	cents := flag.Int("cents", 5000, "to be charged; the payment service refuses more than 10000")
	nights := flag.Int("nights", 2, "to be booked; the hotel refuses more than 14")
	seats := flag.Int("seats", 1, "to be reserved; the airline refuses more than 9")
	flag.Parse()
	err := start(context.Background(), os.Getenv("DATABASE_URL"), *definition, jsonmap.JSONMap{"cents": *cents, "nights": *nights, "seats": *seats})
	if err != nil {
		log.Fatal(err)
	}
}

// start begins one in a transaction, which would be that of the service's own rows.
func start(ctx context.Context, database, definition string, payload jsonmap.JSONMap) error {
	text, err := os.ReadFile(definition)
	if err != nil {
		return err
	}
	trip, err := sagayaml.Parse(text)
	if err != nil {
		return err
	}
	db, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer db.Close(ctx)
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		id, _, err := sagapg.New("", "orders").Start(ctx, tx, trip, sagapg.StartRequest{Payload: payload})
		if err == nil {
			fmt.Println("started", uuid.UUID(id))
		}
		return err
	})
}
