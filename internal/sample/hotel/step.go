package hotel

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

// StepName is the step of the saga that this service carries out.
const StepName = "room-booking"

// Step books and releases rooms.
func Step() participant.Step {
	return participant.Step{Request: book, Cancel: release}
}

// book holds the room for the stay and returns {bookingId}.
func book(ctx context.Context, tx pgx.Tx, cmd participant.Command) (jsonmap.JSONMap, error) {
	w, err := wishOf(cmd.Payload)
	if err != nil {
		return nil, participant.Refuse(problem("unusable-request", "The request cannot be read", err.Error()))
	}
	var open bool
	err = tx.QueryRow(ctx, queries.room, w.HotelID, w.RoomID).Scan(&open)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, participant.Refuse(problem("unknown-room", "No such room",
			fmt.Sprintf("there is no room %d in hotel %d", w.RoomID, w.HotelID)))
	case err != nil:
		return nil, fmt.Errorf("look at room %d of hotel %d: %w", w.RoomID, w.HotelID, err)
	case !open:
		return nil, participant.Refuse(unavailable(w, "closed"))
	}
	var id uuid.UUID
	err = tx.QueryRow(ctx, queries.book, uuid.UUID(cmd.SagaID), w.HotelID, w.RoomID, w.StartDate, w.EndDate).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, participant.Refuse(unavailable(w, "taken"))
	}
	if err != nil {
		return nil, fmt.Errorf("book room %d of hotel %d: %w", w.RoomID, w.HotelID, err)
	}
	return jsonmap.JSONMap{"bookingId": id.String()}, nil
}

// release gives up what this saga holds, if anything.
func release(ctx context.Context, tx pgx.Tx, cmd participant.Command) error {
	if _, err := tx.Exec(ctx, queries.release, uuid.UUID(cmd.SagaID)); err != nil {
		return fmt.Errorf("release the room: %w", err)
	}
	return nil
}

func unavailable(w wish, why string) saga.Problem {
	return problem("room-unavailable", "Room not available",
		fmt.Sprintf("room %d of hotel %d is not available for these dates: %s", w.RoomID, w.HotelID, why))
}

func problem(kind, title, detail string) saga.Problem {
	return saga.Problem{Type: "urn:problem:hotel:" + kind, Title: title, Detail: detail}
}

var queries = struct{ room, book, release string }{
	room:    sagasql.Query("", "hotel/room.sql"),
	book:    sagasql.Query("", "hotel/book.sql"),
	release: sagasql.Query("", "hotel/release.sql"),
}
