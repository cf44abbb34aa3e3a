package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"go.example/saga/internal/httpapi"
	"go.example/saga/internal/sample/reservation"
	"go.example/saga/pkg/compose"
	"go.example/saga/pkg/saga/sagapg"
)

// Path is where the reservations are.
const Path = "/api/v1/reservations"

// pollAfter tells clients how many seconds to wait before they look for the end.
const pollAfter = "1"

// requestTime bounds the work on one request. A database that has fallen silent
// must not keep the client waiting, nor the end of the process.
const requestTime = 5 * time.Second

type api struct {
	service *reservation.Service
	parts   compose.Sources[reservation.Reservation]
	within  time.Duration
	log     *zap.Logger
}

// Handler serves the interface.
func Handler(service *reservation.Service, parts Parts, log *zap.Logger) http.Handler {
	frame, handler := httpapi.New("Reservations", "1")
	a := api{service: service, parts: parts.sources(service), within: parts.Within, log: log}
	huma.Register(frame, huma.Operation{
		OperationID: "place-reservation", Method: http.MethodPost, Path: Path,
		Summary:       "Ask for a room",
		Description:   "Starts the reservation and answers before it is decided; look for the end at Location.",
		DefaultStatus: http.StatusAccepted,
		Responses:     map[string]*huma.Response{"200": {Description: "The end, which was waited for (Prefer: wait=N)"}},
		Errors:        []int{400, 409, 413, 415, 422, 503},
		// The frame has read the body, within its bounds, before huma does.
		MaxBodyBytes: -1, BodyReadTimeout: -1,
	}, a.place)
	huma.Register(frame, huma.Operation{
		OperationID: "get-reservation", Method: http.MethodGet, Path: Path + "/{id}",
		Summary: "See what became of a reservation",
		Description: "With expand, also what other services know of it: " + strings.Join(a.parts.Names(), ", ") + ". " +
			"A part that does not come in time is named in missing, with the reason; the answer is 200 all the same.",
		Errors:                       []int{400, 404, 422, 503},
		RejectUnknownQueryParameters: true, // a misspelt expand would be passed over
	}, a.get)
	return handler
}

func (a api) place(ctx context.Context, in *placeInput) (*placeOutput, error) {
	wait, err := waitOf(in.Prefer)
	if err != nil {
		return nil, err
	}
	placing, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	placed, err := a.service.Place(placing, in.Body.request(), in.IdempotencyKey)
	if err != nil {
		return nil, a.problem(err, "header.Idempotency-Key")
	}
	out := &placeOutput{Status: http.StatusAccepted, Location: Path + "/" + placed.ID.String(), RetryAfter: pollAfter}
	if wait > 0 {
		out.Applied = fmt.Sprintf("wait=%d", wait/time.Second)
		placed = a.await(ctx, placed, wait)
	}
	if placed.Status != reservation.Pending {
		out.Status, out.RetryAfter = http.StatusOK, ""
	}
	out.Body = bodyOf(placed)
	return out, nil
}

func (a api) get(ctx context.Context, in *getInput) (*getOutput, error) {
	id, err := uuid.Parse(in.ID)
	if err != nil || len(in.ID) != 36 {
		return nil, huma.Error400BadRequest("the reservation's id is not a UUID",
			&huma.ErrorDetail{Location: "path.id", Message: "expected a UUID such as 01234567-89ab-7cde-8f01-23456789abcd"})
	}
	names := in.named()
	if err := a.parts.Check(names); err != nil {
		return nil, unknownPart(err)
	}
	found, err := a.find(ctx, id)
	if err != nil {
		return nil, a.problem(err, "path.id")
	}
	composed, err := a.compose(ctx, found, names)
	if err != nil {
		return nil, err
	}
	return answer(in, composed)
}

func (a api) find(ctx context.Context, id uuid.UUID) (reservation.Reservation, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	return a.service.Get(ctx, id)
}

// problem tells the client what it can act on, and the log the rest.
func (a api) problem(err error, location string) error {
	detail := &huma.ErrorDetail{Location: location, Message: err.Error()}
	var unreachable *pgconn.ConnectError
	switch {
	case errors.Is(err, reservation.ErrNotFound):
		return huma.Error404NotFound(err.Error(), detail)
	case errors.Is(err, reservation.ErrKeyReused):
		return huma.Error409Conflict(err.Error(), detail)
	case errors.Is(err, reservation.ErrNotReady):
		return tryLater(err.Error())
	case errors.Is(err, sagapg.ErrOverloaded):
		return tryLater("too many reservations are being carried out; nothing was stored")
	case errors.As(err, &unreachable), pgconn.SafeToRetry(err):
		a.log.Warn("a request failed: the database cannot be reached", zap.Error(err))
		return tryLater("the database cannot be reached; nothing was stored")
	case errors.Is(err, context.Canceled):
		return tryLater("the request was given up before it was done")
	case interrupted(err):
		a.log.Warn("a request failed: the database went away", zap.Error(err))
		return tryLater("the database went away during the request; repeat it with the same Idempotency-Key")
	default:
		a.log.Error("a request failed", zap.Error(err))
		return huma.Error500InternalServerError("the request failed; repeat it with the same Idempotency-Key")
	}
}

// interrupted tells the errors of a database that was lost, or gave up, with the
// request under way. Whether the request was stored is unknown.
func interrupted(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) || httpapi.Transient(err)
}

func tryLater(detail string) error {
	return huma.ErrorWithHeaders(huma.Error503ServiceUnavailable(detail), http.Header{"Retry-After": {"5"}})
}
