package hotel

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

// StepName is the step of the saga that this service carries out.
const StepName = "room-booking"

// Step books and releases rooms, for all commands of a batch at once. The empty schema is public.
func Step(schema string) participant.Step {
	t := tables{schema}
	return participant.Step{RequestAll: t.book, ConfirmAll: keep, CancelAll: t.release}
}

// keep has nothing to do: a room that is booked is held against everybody already, and only
// the CANCEL of its own saga releases it.
func keep(context.Context, pgx.Tx, []participant.Command) ([]participant.Result, error) {
	return nil, nil
}

// book holds the rooms for the stays and returns {bookingId} for each.
func (t tables) book(ctx context.Context, tx pgx.Tx, cmds []participant.Command) ([]participant.Result, error) {
	results := make([]participant.Result, len(cmds))
	var sagas [][16]byte
	var wishes []wish
	var hotels, rooms []int64
	var starts, ends []time.Time
	var places []int
	for i, cmd := range cmds {
		w, err := wishOf(cmd.Payload)
		if err != nil {
			results[i].Err = participant.Refuse(problem("unusable-request", "The request cannot be read", err.Error()))
			continue
		}
		sagas, hotels, rooms = append(sagas, cmd.SagaID), append(hotels, w.hotelID), append(rooms, w.roomID)
		starts, ends = append(starts, w.start), append(ends, w.end)
		wishes, places = append(wishes, w), append(places, i)
	}
	if len(wishes) == 0 {
		return results, nil
	}
	rows, err := tx.Query(ctx, t.query("book.sql"), sagas, hotels, rooms, starts, ends)
	if err != nil {
		return nil, fmt.Errorf("book %d rooms: %w", len(wishes), err)
	}
	var known, open bool
	var id *[16]byte
	next := 0
	_, err = pgx.ForEachRow(rows, []any{&known, &open, &id}, func() error {
		results[places[next]] = answer(wishes[next], known, open, id)
		next++
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("book %d rooms: %w", len(wishes), err)
	}
	return results, nil
}

// answer says what became of a wish.
func answer(w wish, known, open bool, id *[16]byte) (r participant.Result) {
	switch {
	case !known:
		r.Err = participant.Refuse(problem("unknown-room", "No such room",
			fmt.Sprintf("there is no room %d in hotel %d", w.roomID, w.hotelID)))
	case !open:
		r.Err = participant.Refuse(unavailable(w, "closed"))
	case id == nil:
		r.Err = participant.Refuse(unavailable(w, "taken"))
	default:
		r.Output = jsonmap.JSONMap{"bookingId": uuid.UUID(*id).String()}
	}
	return r
}

// release gives up what these sagas hold, if anything.
func (t tables) release(ctx context.Context, tx pgx.Tx, cmds []participant.Command) ([]participant.Result, error) {
	sagas := make([][16]byte, len(cmds))
	for i, cmd := range cmds {
		sagas[i] = cmd.SagaID
	}
	if _, err := tx.Exec(ctx, t.query("release.sql"), sagas); err != nil {
		return nil, fmt.Errorf("release the rooms: %w", err)
	}
	return nil, nil
}

func unavailable(w wish, why string) saga.Problem {
	return problem("room-unavailable", "Room not available",
		fmt.Sprintf("room %d of hotel %d is not available for these dates: %s", w.roomID, w.hotelID, why))
}

func problem(kind, title, detail string) saga.Problem {
	return saga.Problem{Type: "urn:problem:hotel:" + kind, Title: title, Detail: detail}
}

// tables are those of the service, in a schema; the empty one is public.
type tables struct{ schema string }

func (t tables) query(file string) string { return sagasql.Query(t.schema, "hotel/"+file) }
