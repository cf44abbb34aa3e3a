package app

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// Run runs the tasks side by side until all have returned. The first error
// cancels the others' context, and is what Run returns. Signals are not its
// concern: who cancels ctx stops the tasks.
func Run(ctx context.Context, tasks ...func(context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, task := range tasks {
		group.Go(func() error { return task(ctx) })
	}
	return group.Wait()
}
