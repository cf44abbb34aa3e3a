package admin

import (
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"go.uber.org/zap"

	"go.example/saga/internal/httpapi"
	engine "go.example/saga/pkg/saga/orchestrator"
)

// Paths of the interface.
const (
	Sagas = "/api/v1/sagas"
	Bulk  = "/api/v1/bulk"
)

// Bounds of the work on one request. A database that has fallen silent must not keep
// the caller waiting, nor the end of the process.
const (
	requestTime = 10 * time.Second
	bulkTime    = 25 * time.Second
)

type api struct {
	engine *engine.Engine
	log    *zap.Logger
}

// Handler serves the interface to those who send the token.
func Handler(e *engine.Engine, token Token, log *zap.Logger) http.Handler {
	_, handler := describe(api{engine: e, log: log})
	return guarded(limited(handler, atOnce, lineTime), token, log)
}

// OpenAPI is the description of the interface, in YAML.
func OpenAPI() ([]byte, error) {
	frame, _ := describe(api{})
	return frame.OpenAPI().YAML()
}

func describe(a api) (huma.API, http.Handler) {
	frame, handler := httpapi.New("Orchestrator for operators", "1")
	frame.OpenAPI().Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "The daemon's ADMIN_TOKEN, where it has one."},
	}
	frame.OpenAPI().Security = []map[string][]string{{"token": {}}, {}}
	huma.Register(frame, look("list-sagas", Sagas, "Find sagas, the newest first", 422), a.list)
	huma.Register(frame, look("show-saga", Sagas+"/{id}", "See one saga and what it carries", 404, 422), a.show)
	huma.Register(frame, look("saga-timeline", Sagas+"/{id}/timeline", "See what has happened to one saga", 404, 422), a.timeline)
	begin := tell("start-saga", Sagas, "Start a saga",
		"Answers 200 with the saga that was started under the key before, if there is one.", 404)
	begin.DefaultStatus = http.StatusCreated
	huma.Register(frame, begin, a.start)
	huma.Register(frame, tell("act-on-saga", Sagas+"/{id}/actions", "Retry, skip, abort, kill, pause or resume one saga",
		"Who it was and why is kept in the saga's history, also where the saga refuses (409).", 404, 409), a.act)
	huma.Register(frame, tell("signal-saga", Sagas+"/{id}/signals", "Say what a signal step of one saga waits for",
		"A signal that comes before its step is kept for it.", 404, 409), a.signal)
	huma.Register(frame, tell("act-on-sagas", Bulk, "Act on all sagas of a selection",
		"Without a token nothing is done: the answer says what would be, with the token that does it to exactly those sagas. "+
			"If others match by then, it is refused (409).", 409), a.bulk)
	return frame, handler
}

func look(id, path, summary string, errors ...int) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Errors: append(errors, 401, 403, 503),
	}
}

func tell(id, path, summary, description string, errors ...int) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: http.MethodPost, Path: path, Summary: summary, Description: description,
		Errors: append(errors, 400, 401, 403, 413, 415, 422, 503),
		// The frame has read the body, within its bounds, before huma does.
		MaxBodyBytes: -1, BodyReadTimeout: -1,
	}
}
