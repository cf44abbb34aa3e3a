package inbox_test

import (
	"context"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
)

// A service that counts the rooms that are booked: each once, however often it hears of it.
func ExampleOnce() {
	count := func(ctx context.Context, db *pgxpool.Pool) error {
		broker := rabbit.Config{Name: "statistics", URL: func(context.Context) (string, error) { return os.Getenv("AMQP_URL"), nil }}
		return inbox.Run(ctx, inbox.Once(inbox.Config{
			Name: "rooms", Service: "statistics", DB: db, Open: rabbit.HearEvents(broker, "", "hotel.room.booked"),
		}, func(ctx context.Context, tx pgx.Tx, event inbox.Delivery) error {
			fact, err := protocol.DecodeFact(event)
			if err != nil {
				return inbox.SetAside(inbox.Undecodable, err.Error())
			}
			_, err = tx.Exec(ctx, `UPDATE bookings SET count = count + 1 WHERE hotel = $1`, fact.Subject)
			return err
		}))
	}
	_ = count
}
