package hotel

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"go.example/saga/internal/sample/lookup"
)

// Thing is what the hotel holds for a saga, in the path of its interface.
const Thing = "booking"

// Booking is one as the hotel shows it.
type Booking struct {
	BookingID  string     `json:"bookingId" format:"uuid"`
	HotelID    int64      `json:"hotelId"`
	RoomID     int64      `json:"roomId"`
	StartDate  string     `json:"startDate" format:"date" doc:"First night."`
	EndDate    string     `json:"endDate" format:"date" doc:"Day of departure."`
	State      string     `json:"state" enum:"ACTIVE,RELEASED" doc:"RELEASED: given up, because the saga went back."`
	BookedAt   time.Time  `json:"bookedAt"`
	ReleasedAt *time.Time `json:"releasedAt,omitempty"`
}

// Handler serves the bookings in the database, each under the id of its saga.
func Handler(db *pgxpool.Pool, schema string, log *zap.Logger) http.Handler {
	return lookup.Interface[Booking]{
		Title: "Hotel", Thing: Thing, Log: log,
		Get: func(ctx context.Context, saga uuid.UUID) (Booking, error) {
			return tables{schema}.bookingOf(ctx, db, saga)
		},
	}.Handler()
}

func (t tables) bookingOf(ctx context.Context, db *pgxpool.Pool, saga uuid.UUID) (Booking, error) {
	var b Booking
	var start, end time.Time
	err := db.QueryRow(ctx, t.query("of_saga.sql"), saga).
		Scan(&b.BookingID, &b.HotelID, &b.RoomID, &start, &end, &b.State, &b.BookedAt, &b.ReleasedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return Booking{}, lookup.ErrNone
	}
	if err != nil {
		return Booking{}, fmt.Errorf("read the booking of saga %s: %w", saga, err)
	}
	b.StartDate, b.EndDate = start.Format(time.DateOnly), end.Format(time.DateOnly)
	return b, nil
}
