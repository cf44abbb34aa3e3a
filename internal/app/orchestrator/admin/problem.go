package admin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"go.example/saga/internal/httpapi"
	engine "go.example/saga/pkg/saga/orchestrator"
	"go.example/saga/pkg/saga/sagapg"
)

// problem tells the caller what it can act on, and the log the rest.
func (a api) problem(err error) error {
	var unreadable *sagapg.SagaError
	switch {
	case errors.Is(err, sagapg.ErrNoSaga):
		return huma.Error404NotFound(sagapg.ErrNoSaga.Error())
	case errors.Is(err, sagapg.ErrNoDefinition):
		return huma.Error404NotFound(err.Error())
	case errors.Is(err, engine.ErrOutdated):
		return huma.Error409Conflict(err.Error())
	case errors.Is(err, sagapg.ErrSelection), errors.Is(err, engine.ErrEvent):
		return huma.Error422UnprocessableEntity(err.Error())
	case errors.As(err, &unreadable):
		a.log.Error("a saga cannot be read", zap.Error(err))
		return huma.Error500InternalServerError("the saga cannot be read, or its plan cannot be used; nothing was done")
	case interrupted(err):
		a.log.Warn("a request failed: the database cannot be reached or went away", zap.Error(err))
		return huma.ErrorWithHeaders(
			huma.Error503ServiceUnavailable("the database cannot be reached or went away; look at the saga's history before you repeat it"),
			http.Header{"Retry-After": {"5"}})
	}
	a.log.Error("a request failed", zap.Error(err))
	return huma.Error500InternalServerError("the request failed; the log says why")
}

// interrupted tells the errors of a database that was lost, or gave up. Whether
// something was done is unknown.
func interrupted(err error) bool {
	var network net.Error
	var unreachable *pgconn.ConnectError
	return errors.As(err, &network) || errors.As(err, &unreachable) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || httpapi.Transient(err)
}
