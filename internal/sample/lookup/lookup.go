// Package lookup is the HTTP interface of a participant of the sample: one GET that shows
// what the participant holds for a saga, described at /openapi.json.
package lookup

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"go.example/saga/internal/httpapi"
)

// ErrNone says that the participant holds nothing for the saga.
var ErrNone = errors.New("there is none for this saga")

// requestTime bounds the work on one request: a database that has fallen silent must not keep
// the client waiting, nor the end of the process.
const requestTime = 5 * time.Second

// Path is where the thing of a saga, for example "booking", is.
func Path(thing, saga string) string { return "/api/v1/sagas/" + saga + "/" + thing }

// Interface is the one GET of a participant.
type Interface[T any] struct {
	// Title is the interface's, and Thing what it shows, for example "booking".
	Title, Thing string
	// Get finds it, or [ErrNone].
	Get func(ctx context.Context, saga uuid.UUID) (T, error)
	Log *zap.Logger
}

type input struct {
	Saga string `path:"saga" doc:"The saga's id, a UUID." example:"0193c0de-0000-7000-8000-000000000001"`
}

type output[T any] struct{ Body T }

// Handler serves it.
func (i Interface[T]) Handler() http.Handler {
	frame, handler := httpapi.New(i.Title, "1")
	huma.Register(frame, huma.Operation{
		OperationID: "get-" + i.Thing, Method: http.MethodGet, Path: Path(i.Thing, "{saga}"),
		Summary: "See the " + i.Thing + " of a saga",
		Errors:  []int{400, 404, 503},
	}, i.get)
	return handler
}

func (i Interface[T]) get(ctx context.Context, in *input) (*output[T], error) {
	saga, err := uuid.Parse(in.Saga)
	if err != nil || len(in.Saga) != 36 {
		return nil, huma.Error400BadRequest("the saga's id is not a UUID",
			&huma.ErrorDetail{Location: "path.saga", Message: "expected a UUID such as 01234567-89ab-7cde-8f01-23456789abcd"})
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	found, err := i.Get(ctx, saga)
	switch {
	case err == nil:
		return &output[T]{Body: found}, nil
	case errors.Is(err, ErrNone):
		return nil, huma.Error404NotFound(err.Error())
	case interrupted(err):
		i.Log.Warn("a request failed: the database cannot be reached or went away", zap.Error(err))
		return nil, huma.ErrorWithHeaders(huma.Error503ServiceUnavailable("the database cannot be reached"), http.Header{"Retry-After": {"5"}})
	default:
		i.Log.Error("a request failed", zap.Error(err))
		return nil, huma.Error500InternalServerError("the request failed; the log says why")
	}
}

// interrupted tells the errors of a database that was lost, or gave up.
func interrupted(err error) bool {
	var network net.Error
	var unreachable *pgconn.ConnectError
	return errors.As(err, &network) || errors.As(err, &unreachable) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || pgconn.SafeToRetry(err) || httpapi.Transient(err)
}
