package hotel_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/sample/hotel"
	"go.example/saga/internal/sample/sampletest"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func command(id uuid.UUID, room int, from, to string) participant.Command {
	return participant.Command{SagaID: saga.ID(id), Step: hotel.StepName, Payload: payload(room, from, to)}
}

// book runs the handler as the participant does: in a transaction that lives on
// after a refusal.
func book(t testing.TB, db *pgxpool.Pool, cmd participant.Command) (output jsonmap.JSONMap, no error) {
	t.Helper()
	ctx := context.Background()
	err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		output, no = one(ctx, tx, cmd)
		_, err := tx.Exec(ctx, `SELECT 1`)
		return err
	})
	require.NoError(t, err, "a refusal leaves the transaction usable")
	return output, no
}

// one asks for one room.
func one(ctx context.Context, tx pgx.Tx, cmd participant.Command) (jsonmap.JSONMap, error) {
	results, err := hotel.Step("").RequestAll(ctx, tx, []participant.Command{cmd})
	if err != nil {
		return nil, err
	}
	return results[0].Output, results[0].Err
}

// bookAll asks for several rooms at once. A result that is empty is a booking, anything
// else why there is none.
func bookAll(t testing.TB, db *pgxpool.Pool, cmds ...participant.Command) (refusals []string) {
	t.Helper()
	ctx := context.Background()
	var results []participant.Result
	require.NoError(t, pgx.BeginFunc(ctx, db, func(tx pgx.Tx) (err error) {
		results, err = hotel.Step("").RequestAll(ctx, tx, cmds)
		return err
	}))
	require.Len(t, results, len(cmds))
	for i, r := range results {
		if r.Err != nil {
			require.Nil(t, r.Output)
			refusals = append(refusals, r.Err.Error())
			continue
		}
		var holder uuid.UUID
		require.NoError(t, db.QueryRow(ctx, `SELECT saga_id FROM booking WHERE id = $1`, r.Output["bookingId"]).Scan(&holder))
		require.Equal(t, uuid.UUID(cmds[i].SagaID), holder, "each has its own booking")
		refusals = append(refusals, "")
	}
	return refusals
}

func cancel(t testing.TB, db *pgxpool.Pool, cmd participant.Command) {
	t.Helper()
	ctx := context.Background()
	require.NoError(t, pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error { return all(hotel.Step("").CancelAll(ctx, tx, []participant.Command{cmd})) }))
}

func all(_ []participant.Result, err error) error { return err }

func active(t testing.TB, db *pgxpool.Pool) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRow(context.Background(), `SELECT count(*) FROM booking WHERE state = 'ACTIVE'`).Scan(&n))
	return n
}

func TestStaysCannotOverlapAndMayMeet(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t, sagasql.Hotel)
	first := uuid.New()
	output, err := book(t, db, command(first, 1, "2027-01-10", "2027-01-15"))
	require.NoError(t, err)
	var holder uuid.UUID
	require.NoError(t, db.QueryRow(context.Background(), `SELECT saga_id FROM booking WHERE id = $1`, output["bookingId"]).Scan(&holder))
	require.Equal(t, first, holder)
	for name, c := range map[string]struct {
		room     int
		from, to string
		free     bool
	}{
		"same":           {1, "2027-01-10", "2027-01-15", false},
		"inside":         {1, "2027-01-12", "2027-01-13", false},
		"around":         {1, "2027-01-01", "2027-02-01", false},
		"over the start": {1, "2027-01-09", "2027-01-11", false},
		"last night":     {1, "2027-01-14", "2027-01-15", false},
		"before":         {1, "2027-01-08", "2027-01-10", true},
		"after":          {1, "2027-01-15", "2027-01-16", true},
		"other room":     {3, "2027-01-10", "2027-01-15", true},
	} {
		_, err := book(t, db, command(uuid.New(), c.room, c.from, c.to))
		if c.free {
			require.NoError(t, err, name)
		} else {
			require.Error(t, err, name)
		}
	}
	require.Equal(t, 4, active(t, db))
}

// The constraint holds against any writer, not only against this program.
func TestOverlapIsTheDatabasesOwnRule(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t, sagasql.Hotel)
	insert := `INSERT INTO booking (saga_id, hotel_id, room_id, stay) VALUES (gen_random_uuid(), 1, 1, $1::daterange)`
	_, err := db.Exec(context.Background(), insert, "[2027-01-10,2027-01-12)")
	require.NoError(t, err)
	_, err = db.Exec(context.Background(), insert, "[2027-01-11,2027-01-13)")
	var pg *pgconn.PgError
	require.ErrorAs(t, err, &pg)
	require.Equal(t, "23P01", pg.Code)
}

func payload(room int, from, to string) jsonmap.JSONMap {
	return jsonmap.JSONMap{"hotelId": 1, "roomId": room, "startDate": from, "endDate": to}
}

func TestThroughTheBarrier(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t, sagasql.Outbox, sagasql.Inbox, sagasql.Participant, sagasql.Hotel)
	service := sampletest.Start(t, db, hotel.StepName, hotel.Step(""))
	id, wish := uuid.New(), payload(1, "2027-01-10", "2027-01-12")
	first := service.Ask(t, id, saga.Request, 1, wish)
	require.Equal(t, saga.OutcomeSucceeded, first.Outcome)
	require.NotEmpty(t, first.Body["bookingId"])
	require.Equal(t, first, service.Ask(t, id, saga.Request, 2, wish), "asked twice, booked once")
	require.Equal(t, 1, active(t, db))

	for detail, wish := range map[string]jsonmap.JSONMap{
		"room 2 of hotel 1 is not available for these dates: closed":          payload(2, "2027-01-10", "2027-01-12"),
		"room 1 of hotel 1 is not available for these dates: taken":           payload(1, "2027-01-11", "2027-01-12"),
		"there is no room 7 in hotel 1":                                       payload(7, "2027-01-11", "2027-01-12"),
		"endDate has to be after startDate":                                   payload(1, "2027-01-12", "2027-01-12"),
		"startDate and endDate have to be dates such as 2027-01-10":           payload(1, "soon", "2027-01-12"),
		"hotelId and roomId have to be integers, startDate and endDate texts": {"hotelId": "one"},
	} {
		refused := uuid.New()
		no := service.Ask(t, refused, saga.Request, 1, wish)
		require.Equal(t, saga.OutcomeFailed, no.Outcome, detail)
		require.Equal(t, detail, no.Body["detail"])
		require.NotEmpty(t, no.Body["type"])
		require.Equal(t, saga.OutcomeCompensated, service.Ask(t, refused, saga.Cancel, 1, wish).Outcome)
	}
	require.Equal(t, 1, active(t, db), "who was refused releases nothing")

	require.Equal(t, saga.OutcomeCompensated, service.Ask(t, id, saga.Cancel, 1, wish).Outcome)
	require.Equal(t, saga.OutcomeCompensated, service.Ask(t, id, saga.Cancel, 2, wish).Outcome)
	require.Equal(t, 0, active(t, db))

	late := uuid.New()
	service.Ask(t, late, saga.Cancel, 1, wish)
	service.Ask(t, late, saga.Request, 1, wish)
	require.Equal(t, 0, active(t, db), "a request after its cancel books nothing")
}

func TestCancelReleasesItsOwnOnly(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t, sagasql.Hotel)
	holder := command(uuid.New(), 1, "2027-01-10", "2027-01-12")
	_, err := book(t, db, holder)
	require.NoError(t, err)

	other := command(uuid.New(), 1, "2027-01-10", "2027-01-12")
	_, err = book(t, db, other)
	require.Error(t, err)
	cancel(t, db, other)
	require.Equal(t, 1, active(t, db), "who was refused releases nothing")

	cancel(t, db, holder)
	cancel(t, db, holder)
	require.Equal(t, 0, active(t, db))
	_, err = book(t, db, other)
	require.NoError(t, err, "the room is free again")
}

// Of a batch that wants the same night each command has its own answer, and the same one
// every time.
func TestABatchIsAnsweredCommandByCommand(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t, sagasql.Hotel)
	const no, unavailable, none, unusable = "", "refused: Room not available", "refused: No such room", "refused: The request cannot be read"
	cmds := []participant.Command{
		command(uuid.New(), 3, "2027-01-10", "2027-01-12"),
		command(uuid.New(), 1, "2027-01-11", "2027-01-12"),
		command(uuid.New(), 1, "2027-01-11", "2027-01-12"), // as early, behind it
		command(uuid.New(), 2, "2027-01-11", "2027-01-12"), // closed
		command(uuid.New(), 1, "soon", "2027-01-12"),
		command(uuid.New(), 7, "2027-01-11", "2027-01-12"),
		command(uuid.New(), 3, "2027-01-09", "2027-01-11"), // earlier than the first
		command(uuid.New(), 1, "2027-01-12", "2027-01-13"),
	}
	want := []string{unavailable, no, unavailable, unavailable, unusable, none, no, no}
	for range 3 {
		require.Equal(t, want, bookAll(t, db, cmds...))
		require.Equal(t, 3, active(t, db))
		ctx := context.Background()
		require.NoError(t, pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error { return all(hotel.Step("").CancelAll(ctx, tx, cmds)) }))
		require.Equal(t, 0, active(t, db))
		for i := range cmds {
			cmds[i].SagaID = saga.ID(uuid.New())
		}
	}
	require.Equal(t, []string{unusable}, bookAll(t, db, cmds[4]))
}

// Batches that want the same rooms in opposite order wait for each other and go on.
func TestBatchesDoNotDeadlock(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t, sagasql.Hotel)
	for range 30 {
		var both sync.WaitGroup
		refused := make([][]string, 2)
		for n, rooms := range [][]int{{1, 3}, {3, 1}} {
			both.Go(func() {
				var cmds []participant.Command
				for _, room := range rooms {
					for day := 10; day < 20; day++ {
						at := day
						if n == 1 {
							at = 29 - day
						}
						cmds = append(cmds, command(uuid.New(), room, fmt.Sprintf("2027-01-%d", at), fmt.Sprintf("2027-01-%d", at+1)))
					}
				}
				refused[n] = bookAll(t, db, cmds...)
			})
		}
		both.Wait()
		require.Equal(t, 20, active(t, db))
		_, err := db.Exec(context.Background(), `DELETE FROM booking`)
		require.NoError(t, err)
	}
}

func TestManyClientsOneRoom(t *testing.T) {
	t.Parallel()
	testenv.Connections(t, 24)
	small := testenv.Database(t, sagasql.Hotel)
	config := small.Config().Copy()
	config.MaxConns = 16
	db, err := pgxpool.NewWithConfig(context.Background(), config)
	require.NoError(t, err)
	defer db.Close()
	var all sync.WaitGroup
	results := make([]error, 64)
	for i := range results {
		all.Go(func() {
			ctx := context.Background()
			results[i] = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
				from := fmt.Sprintf("2027-01-%02d", 10+i%3)
				_, err := one(ctx, tx, command(uuid.New(), 1, from, "2027-01-20"))
				return err
			})
		})
	}
	all.Wait()
	booked := 0
	for _, err := range results {
		if err == nil {
			booked++
			continue
		}
		require.EqualError(t, err, "refused: Room not available", "no deadlock, no other error")
	}
	require.Equal(t, 1, booked)
	require.Equal(t, 1, active(t, db))
}
