package sample

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"go.example/saga/internal/app"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
)

// taskFacts is the task of hearing facts, and the name of its consumer.
const taskFacts = "facts"

// FactsQueue is the queue of the facts that a service of the sample hears, beside that of the
// events of sagas, which another handler reads.
func FactsQueue(service string) string { return protocol.EventQueue(service) + "." + taskFacts }

// taskNames are those of the service's tasks.
func (s *Settings) taskNames(own ...string) []string {
	names := append(own, app.TaskDeadLetters)
	if s.Choreography {
		names = append(names, taskFacts)
	}
	return names
}

// hearFacts returns what hears the facts with these routing keys, each once; without
// CHOREOGRAPHY it does nothing.
func (s *Settings) hearFacts(
	db *pgxpool.Pool, broker rabbit.Config, report func(error), log *zap.Logger, keys []string, handle func(context.Context, pgx.Tx, inbox.Delivery) error,
) func(context.Context) error {
	if !s.Choreography {
		return func(context.Context) error { return nil }
	}
	broker.Name += "-" + taskFacts
	hear := inbox.Once(inbox.Config{
		Name: taskFacts, Service: s.Service, DB: db, Schema: s.DatabaseSchema, Retention: s.Retention(), Report: report, Log: log,
		Open: rabbit.HearEvents(broker, FactsQueue(s.Service), keys...),
	}, handle)
	return func(ctx context.Context) error { return inbox.Run(ctx, hear) }
}
