package app

import (
	"context"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/rabbit"
	sagasql "go.example/saga/sql"
)

const (
	// TaskDeadLetters is the name of the task in a daemon's readiness and metrics.
	TaskDeadLetters = "dead-letters"
	// deadPrefetch is small: there are few.
	deadPrefetch = 20
)

// DrainDeadLetters moves what the queues of the consumer's service have given up into its
// quarantine, until ctx is done. All consumers of a service share the queue, and the rows.
func DrainDeadLetters(consumer inbox.Config, broker rabbit.Config, report func(error)) func(context.Context) error {
	broker.Name = consumer.Name + "-" + TaskDeadLetters
	drain := inbox.Config{
		Name: TaskDeadLetters, Service: consumer.Service, DB: consumer.DB, Schema: consumer.Schema,
		Handle: inbox.SetAsideDeadLetters, Retention: consumer.Retention, Report: report, Log: consumer.Log,
		Open: func(ctx context.Context, owner sagasql.Service) (inbox.Source, error) {
			source, err := rabbit.OpenDeadLetters(ctx, broker, owner, deadPrefetch)
			if err != nil {
				return nil, err // and no nil pointer inside of the interface
			}
			return source, nil
		},
	}
	return func(ctx context.Context) error { return inbox.Run(ctx, drain) }
}
