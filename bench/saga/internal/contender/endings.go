package contender

import (
	"context"
	"fmt"
	"sync"
)

// endings lets everybody wait for an end that may have come already.
type endings struct {
	mu    sync.Mutex
	ended map[string]chan struct{}
}

func newEndings() *endings { return &endings{ended: map[string]chan struct{}{}} }

// of is the end of the one with the key.
func (e *endings) of(key string) end {
	return func(ctx context.Context) error { return e.wait(ctx, key) }
}

// ending is closed when the one with the key has ended.
func (e *endings) ending(key string) chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended[key] == nil {
		e.ended[key] = make(chan struct{})
	}
	return e.ended[key]
}

// end says that the one with the key has ended; it may say so again.
func (e *endings) end(key string) {
	ended := e.ending(key)
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-ended:
	default:
		close(ended)
	}
}

func (e *endings) wait(ctx context.Context, key string) error {
	defer e.forget(key)
	select {
	case <-e.ending(key):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("saga of %s: %w", key, context.Cause(ctx))
	}
}

func (e *endings) forget(key string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.ended, key)
}
