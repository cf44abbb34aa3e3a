package inbox

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5"
)

// postponed are deliveries that handlers have put off. The last call that got a delivery
// counts: an earlier one was undone.
type postponed struct {
	mu      sync.Mutex
	serials map[uint64]bool
}

// around has the handler's rejections without those that are put off, which are kept.
func (p *postponed) around(handle Handler) Handler {
	return func(ctx context.Context, tx pgx.Tx, deliveries []Delivery) (rejections []Rejection, err error) {
		p.take(deliveries)
		all, err := handle(ctx, tx, deliveries)
		if err != nil {
			return nil, err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, r := range all {
			if r.Later && r.Index >= 0 && r.Index < len(deliveries) {
				p.serials[deliveries[r.Index].serial] = true
			} else {
				rejections = append(rejections, r)
			}
		}
		return rejections, nil
	}
}

// done are the deliveries that are not put off.
func (p *postponed) done(deliveries []Delivery) (done []Delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range deliveries {
		if !p.serials[d.serial] {
			done = append(done, d)
		}
	}
	return done
}

// take returns which of the deliveries are put off, and forgets it.
func (p *postponed) take(deliveries []Delivery) map[uint64]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	later := map[uint64]bool{}
	for _, d := range deliveries {
		if p.serials[d.serial] {
			later[d.serial] = true
			delete(p.serials, d.serial)
		}
	}
	return later
}
