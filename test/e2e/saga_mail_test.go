package e2e

import (
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// What a scenario does with the letters. Patterns are those of path.Match.

// lose makes letters disappear.
func (p *post) lose(pattern string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost = append(p.lost, pattern)
}

// hold keeps letters until they are released.
func (p *post) hold(patterns ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = append(p.held, patterns...)
}

// release delivers what was held under the pattern, in the order of arrival, and
// holds no more of it.
func (p *post) release(pattern string) {
	p.t.Helper()
	p.await(pattern)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = slices.DeleteFunc(p.held, func(held string) bool { return held == pattern })
	p.kept = slices.DeleteFunc(p.kept, func(l letter) bool {
		if l.is(pattern) {
			require.NoError(p.t, p.deliver(l))
			return true
		}
		return false
	})
}

// letters are those that were posted so far.
func (p *post) letters(pattern string) (found []letter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.taken {
		if l.is(pattern) {
			found = append(found, l)
		}
	}
	return found
}

// await waits until such a letter has been posted and returns the first.
func (p *post) await(pattern string) letter {
	p.t.Helper()
	until(p.t, pattern, func() bool { return len(p.letters(pattern)) > 0 })
	return p.letters(pattern)[0]
}

// repeat delivers the letter once more, as a broker may.
func (p *post) repeat(pattern string) {
	p.t.Helper()
	l := p.await(pattern)
	p.mu.Lock()
	defer p.mu.Unlock()
	require.NoError(p.t, p.deliver(l))
}

// contradict delivers the reply with the other outcome.
func (p *post) contradict(reply string) {
	p.t.Helper()
	l := p.await(reply)
	l.MessageId = uuid.NewString()
	l.Headers = maps.Clone(l.Headers)
	outcome, contentType := saga.OutcomeFailed, "application/problem+json"
	if l.Headers[protocol.HeaderSagaOutcome] == string(saga.OutcomeFailed) {
		outcome, contentType = saga.OutcomeSucceeded, "application/json"
	}
	l.Headers[protocol.HeaderSagaOutcome], l.ContentType, l.Body = string(outcome), contentType, []byte("{}")
	l.Type = l.Type[:strings.LastIndex(l.Type, ".")+1] + string(outcome)
	p.mu.Lock()
	defer p.mu.Unlock()
	require.NoError(p.t, p.deliver(l))
}
