package sagapg

import (
	"context"

	sagasql "go.example/saga/sql"
)

// What a role needs, to be proved with [Store.CheckRights] before it works: who drives
// sagas, who deletes old ones, who starts them and who looks at them.
var (
	RightsToDrive = []sagasql.Right{
		{On: "saga", Privileges: "SELECT, INSERT, UPDATE"}, // INSERT for instructions to start
		{On: "saga_history", Privileges: "INSERT"},
		{On: "saga_definition", Privileges: "SELECT"},
		{On: "saga_insert", Privileges: "EXECUTE"},
		sagasql.RightToKnowService,
		{On: "saga_hidden", Privileges: "EXECUTE"},
		{On: "saga_sent", Privileges: "EXECUTE"},
		{On: "saga_settled", Privileges: "EXECUTE"},
		{On: "outbox", Privileges: "INSERT"},
		{On: "outbox_headers_fit", Privileges: "EXECUTE"},
		{On: "outbox_keeps_number", Privileges: "EXECUTE"},
	}
	RightsToExpire = []sagasql.Right{
		{On: "saga", Privileges: "SELECT, UPDATE, DELETE"}, // UPDATE to lock them
		{On: "saga_history", Privileges: "SELECT, DELETE"},
		{On: "saga_hidden", Privileges: "EXECUTE"},
	}
	RightsToStart = []sagasql.Right{
		{On: "saga", Privileges: "SELECT, INSERT"},
		{On: "saga_history", Privileges: "INSERT"},
		{On: "saga_definition", Privileges: "SELECT"},
		{On: "saga_insert", Privileges: "EXECUTE"},
		sagasql.RightToKnowService,
		{On: "saga_hidden", Privileges: "EXECUTE"},
		{On: "outbox", Privileges: "INSERT"},
		{On: "outbox_headers_fit", Privileges: "EXECUTE"},
		{On: "outbox_keeps_number", Privileges: "EXECUTE"},
	}
	RightsToLook = []sagasql.Right{
		{On: "saga", Privileges: "SELECT"},
		{On: "saga_definition", Privileges: "SELECT"},
		{On: "saga_orchestrated", Privileges: "SELECT"},
		{On: "saga_timeline", Privileges: "SELECT"},
		{On: "saga_waits", Privileges: "SELECT"},
		{On: "saga_problem", Privileges: "EXECUTE"},
		{On: "saga_sent", Privileges: "EXECUTE"},
		{On: "saga_hidden", Privileges: "EXECUTE"},
	}
)

// CheckRights is nil if the role of db may do what the rights allow, and sees all sagas;
// else it is a [*sagasql.RightsError], or another error that is safe to retry.
func (s *Store) CheckRights(ctx context.Context, db DB, needed ...sagasql.Right) error {
	return sagasql.CheckRights(ctx, db, s.schema, needed...)
}

// ExplainRights adds to an error of PostgreSQL for want of a right what the role lacks;
// any other error it returns as it is.
func (s *Store) ExplainRights(ctx context.Context, db DB, err error, needed ...sagasql.Right) error {
	return sagasql.ExplainRights(ctx, db, s.schema, err, needed...)
}
