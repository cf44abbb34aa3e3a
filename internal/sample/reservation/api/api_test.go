package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"go.example/saga/internal/sample/reservation"
	"go.example/saga/internal/sample/reservation/api"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/saga/sagapg"
	"go.example/saga/pkg/saga/sagayaml"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// canary is the card number that must not be seen anywhere.
const canary = "4929000011117999"

// valid is a request that is accepted; %s is the card number.
const valid = `{"hotelId": 1, "roomId": 1, "startDate": "2022-12-16", "endDate": "2022-12-17",
	"guestId": "26d4ef3a-b6d4-4d15-9ab7-5f5a1d5c1b5e", "paymentDue": 49900, "creditCardNo": "%s"}`

// bench is a service with its database and log.
type bench struct {
	db      *pgxpool.Pool
	service *reservation.Service
	handler http.Handler
	log     *safeBuffer
}

func setup(t testing.TB) *bench {
	t.Helper()
	db := testenv.Database(t, sagasql.Outbox, sagasql.Saga, sagasql.Inbox, sagasql.Reservation)
	text, err := os.ReadFile("../../../../deploy/room-reservation.yaml")
	require.NoError(t, err)
	def, err := sagayaml.Parse(text)
	require.NoError(t, err)
	b := &bench{db: db, service: reservation.NewService(db, "", testenv.Service), log: &safeBuffer{}}
	b.handler = api.Handler(b.service, api.Parts{Within: time.Minute}, zap.New(zapcore.NewCore(
		zapcore.NewJSONEncoder(zap.NewDevelopmentEncoderConfig()), b.log, zap.DebugLevel)))
	_, err = sagapg.New("", testenv.Service).ApplyDefinition(context.Background(), db, def)
	require.NoError(t, err)
	_, err = b.service.LoadDefinition(context.Background())
	require.NoError(t, err)
	return b
}

func (b *bench) post(body string, headers ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPost, api.Path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return b.serve(req)
}

func (b *bench) get(path string) *httptest.ResponseRecorder {
	return b.serve(httptest.NewRequest(http.MethodGet, path, http.NoBody))
}

func (b *bench) serve(req *http.Request) *httptest.ResponseRecorder {
	res := httptest.NewRecorder()
	b.handler.ServeHTTP(res, req)
	return res
}

// rows counts what a start writes: reservations, sagas, history, messages.
func (b *bench) rows(t testing.TB) (n [4]int) {
	t.Helper()
	require.NoError(t, b.db.QueryRow(context.Background(), `SELECT (SELECT count(*) FROM reservation),
		(SELECT count(*) FROM saga), (SELECT count(*) FROM saga_history), (SELECT count(*) FROM outbox)`).
		Scan(&n[0], &n[1], &n[2], &n[3]))
	return n
}

func decode(t testing.TB, res *httptest.ResponseRecorder) (body api.Body) {
	t.Helper()
	require.NoError(t, json.Unmarshal(res.Body.Bytes(), &body), res.Body)
	return body
}

type safeBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *safeBuffer) Sync() error { return nil }

func TestPlaceAndGet(t *testing.T) {
	t.Parallel()
	b := setup(t)
	res := b.post(fmt.Sprintf(valid, "************7999"))
	require.Equal(t, http.StatusAccepted, res.Code, res.Body)
	placed := decode(t, res)
	require.Equal(t, api.Path+"/"+placed.ReservationID, res.Header().Get("Location"))
	require.Equal(t, "1", res.Header().Get("Retry-After"))
	require.Equal(t, api.Body{
		ReservationID: placed.ReservationID, HotelID: 1, RoomID: 1,
		GuestID: "26d4ef3a-b6d4-4d15-9ab7-5f5a1d5c1b5e", Status: reservation.Pending,
	}, placed)
	require.Equal(t, uuid.Version(7), uuid.MustParse(placed.ReservationID).Version())
	require.Equal(t, [4]int{1, 1, 1, 1}, b.rows(t))

	got := b.get(res.Header().Get("Location"))
	require.Equal(t, http.StatusOK, got.Code)
	require.Equal(t, placed, decode(t, got))

	var key, payload string
	require.NoError(t, b.db.QueryRow(context.Background(),
		`SELECT business_key, (payload - 'cardToken')::text FROM saga JOIN reservation r ON r.saga_id = saga.id`).Scan(&key, &payload))
	require.Equal(t, placed.ReservationID, key)
	require.JSONEq(t, `{"reservationId": "`+placed.ReservationID+`", "hotelId": 1, "roomId": 1, "startDate": "2022-12-16",
		"endDate": "2022-12-17", "guestId": "26d4ef3a-b6d4-4d15-9ab7-5f5a1d5c1b5e", "paymentDue": 49900, "cardLast4": "7999"}`, payload)
}

// Who prefers to wait gets the end if it comes in time, and else what everybody gets.
func TestPlaceAndWait(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := fmt.Sprintf(valid, "************7999")
	res := b.post(body, "Prefer", "wait=1", "Idempotency-Key", "k")
	require.Equal(t, http.StatusAccepted, res.Code, res.Body)
	require.Equal(t, "wait=1", res.Header().Get("Preference-Applied"))
	require.Equal(t, reservation.Pending, decode(t, res).Status)

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, err := b.db.Exec(context.Background(), `UPDATE reservation SET status = 'SUCCEED'`)
		assert.NoError(t, err)
	}()
	res = b.post(body, "Prefer", `respond-async, wait="99999"`, "Idempotency-Key", "k")
	<-ended
	require.Equal(t, http.StatusOK, res.Code, res.Body)
	require.Equal(t, "wait=20", res.Header().Get("Preference-Applied"))
	require.Empty(t, res.Header().Get("Retry-After"))
	require.Equal(t, reservation.Succeed, decode(t, res).Status)

	require.Equal(t, http.StatusBadRequest, b.post(body, "Prefer", "wait=soon").Code)
	require.Empty(t, b.post(body, "Prefer", "return=minimal").Header().Get("Preference-Applied"))
}

func TestGetFailures(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for path, status := range map[string]int{
		api.Path + "/" + uuid.NewString():                        http.StatusNotFound,
		api.Path + "/17":                                         http.StatusBadRequest,
		api.Path + "/" + canary:                                  http.StatusBadRequest,
		api.Path + "/urn:uuid:01890000-0000-7000-8000-000000000": http.StatusBadRequest,
		api.Path + "/{01890000-0000-7000-8000-000000000000}":     http.StatusBadRequest,
		"/api/v1/rooms":                                          http.StatusNotFound,
	} {
		res := b.get(path)
		require.Equal(t, status, res.Code, "%s: %s", path, res.Body)
		require.Equal(t, "application/problem+json", res.Header().Get("Content-Type"))
		require.NotContains(t, res.Body.String(), canary)
	}
}

func TestNoDefinitionNoReservation(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t, sagasql.Outbox, sagasql.Saga, sagasql.Inbox, sagasql.Reservation)
	b := &bench{db: db, service: reservation.NewService(db, "", testenv.Service)}
	b.handler = api.Handler(b.service, api.Parts{Within: time.Minute}, zap.NewNop())
	_, err := b.service.LoadDefinition(context.Background())
	require.ErrorIs(t, err, reservation.ErrNotReady)
	res := b.post(fmt.Sprintf(valid, "************7999"))
	require.Equal(t, http.StatusServiceUnavailable, res.Code, res.Body)
	require.NotEmpty(t, res.Header().Get("Retry-After"))
	require.Equal(t, "application/problem+json", res.Header().Get("Content-Type"))
	require.Equal(t, [4]int{}, b.rows(t))
}
