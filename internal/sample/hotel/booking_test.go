package hotel_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"go.example/saga/internal/sample/hotel"
	"go.example/saga/internal/sample/lookup"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/participant"
	sagasql "go.example/saga/sql"
)

func look(db *pgxpool.Pool, saga string) *httptest.ResponseRecorder {
	res := httptest.NewRecorder()
	hotel.Handler(db, "", zap.NewNop()).ServeHTTP(res, httptest.NewRequest(http.MethodGet, lookup.Path(hotel.Thing, saga), http.NoBody))
	return res
}

// A booking is shown as it is held, and as it was given up.
func TestShowBooking(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t, sagasql.Hotel)
	id := uuid.New()
	require.Equal(t, http.StatusNotFound, look(db, id.String()).Code)

	cmd := command(id, 1, "2027-01-10", "2027-01-12")
	output, err := book(t, db, cmd)
	require.NoError(t, err)
	res := look(db, id.String())
	require.Equal(t, http.StatusOK, res.Code, res.Body)
	var shown hotel.Booking
	require.NoError(t, json.Unmarshal(res.Body.Bytes(), &shown))
	require.False(t, shown.BookedAt.IsZero())
	require.Equal(t, hotel.Booking{
		BookingID: output["bookingId"].(string), HotelID: 1, RoomID: 1,
		StartDate: "2027-01-10", EndDate: "2027-01-12", State: "ACTIVE", BookedAt: shown.BookedAt,
	}, shown)

	require.NoError(t, pgx.BeginFunc(context.Background(), db, func(tx pgx.Tx) error {
		_, err := hotel.Step("").CancelAll(context.Background(), tx, []participant.Command{cmd})
		return err
	}))
	require.NoError(t, json.Unmarshal(look(db, id.String()).Body.Bytes(), &shown))
	require.Equal(t, "RELEASED", shown.State)
	require.NotNil(t, shown.ReleasedAt)
}
