package participant

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// Refuse is the error with which a handler says no for a business reason. The
// problem reaches the saga's failure and whoever reads its event. Texts are for
// people; programs go by the problem's Type, a URI (RFC 9457, section 3.1.1).
func Refuse(p saga.Problem) error { return &refusal{p} }

// Refused says whether an error is a refusal, and of what. Who calls a [Step] itself asks it.
func Refused(err error) (p saga.Problem, refused bool) {
	var r *refusal
	if !errors.As(err, &r) {
		return saga.Problem{}, false
	}
	return r.problem, true
}

type refusal struct{ problem saga.Problem }

func (r *refusal) Error() string { return "refused: " + r.problem.Title }

// technical is the answer to an error that is no refusal. The text of an error
// may hold anything, so only its kind leaves the service.
func technical(err error) protocol.Reply {
	kind := "error"
	var limit *limitError
	if errors.As(err, &limit) {
		return protocol.Reply{Outcome: saga.OutcomeRetry, Problem: saga.Problem{
			Type: "urn:problem:saga:time-limit", Title: "The handler did not end within its limit, nothing was changed",
			Detail: "the limit is " + limit.limit.String(),
		}}
	}
	if errors.Is(err, errInLine) {
		return protocol.Reply{Outcome: saga.OutcomeRetry, Problem: saga.Problem{
			Type: "urn:problem:saga:in-line", Title: "An earlier attempt waits for its turn, or is carried out now; this one changes nothing",
		}}
	}
	var pg *pgconn.PgError
	switch {
	case errors.Is(err, errPanic):
		kind = "panic"
	case errors.As(err, &pg):
		kind = "SQLSTATE " + pg.Code
	}
	return protocol.Reply{Outcome: saga.OutcomeRetry, Problem: saga.Problem{
		Type: "urn:problem:saga:technical", Title: "Technical error, nothing was changed", Detail: kind,
	}}
}
