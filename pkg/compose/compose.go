package compose

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Source fetches one part of what is asked for, such as of an order. What it returns is
// encoded as JSON. Its error says why the part is missing: an [*Error] by itself, a context's
// deadline as [Timeout], any other as [Failed]. It should heed ctx; one that does not is
// not waited for, and its goroutine lives until it returns.
type Source[K any] func(ctx context.Context, of K) (any, error)

// Sources are the parts that there are, by name. It is not to be changed while it is used.
type Sources[K any] map[string]Source[K]

// Answer is what became of the parts that were asked for: each is in one of the two.
type Answer struct {
	Parts   map[string]json.RawMessage `json:"parts,omitempty" doc:"The parts that were asked for and came, by name."`
	Missing []Missing                  `json:"missing,omitempty" doc:"The parts that were asked for and did not come, by name."`
}

// UnknownError says that a part was asked for that there is not. It does not repeat the name,
// which is the client's text.
type UnknownError struct {
	// Known are the names that there are, sorted.
	Known []string
}

func (e *UnknownError) Error() string {
	return "there is no such part: ask for some of " + strings.Join(e.Known, ", ")
}

// Names are those of all parts, sorted.
func (s Sources[K]) Names() []string { return slices.Sorted(maps.Keys(s)) }

// Check is nil, or an [*UnknownError] if one of the names is that of no part.
func (s Sources[K]) Check(names []string) error {
	for _, name := range names {
		if s[name] == nil {
			return &UnknownError{Known: s.Names()}
		}
	}
	return nil
}

// Ask asks for the parts of these names side by side and waits for them no longer than
// within. A name that comes twice is asked for once. The error is that of [Sources.Check];
// then nothing is asked.
func (s Sources[K]) Ask(ctx context.Context, within time.Duration, of K, names []string) (Answer, error) {
	if err := s.Check(names); err != nil {
		return Answer{}, err
	}
	open := map[string]bool{}
	for _, name := range names {
		open[name] = true
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	results := make(chan result, len(open)) // with room for those that nobody waits for any more
	for name := range open {
		go func() { results <- s[name].fetch(ctx, name, of) }()
	}
	return gather(ctx, results, open), nil
}

// result is a part, or why it is missing.
type result struct {
	name string
	part json.RawMessage
	err  error
}

// gather takes what comes for the names that are open until all have come or ctx is done.
func gather(ctx context.Context, results <-chan result, open map[string]bool) Answer {
	answer := Answer{}
	for len(open) > 0 {
		var r result
		select {
		case r = <-results:
		default:
			select {
			case r = <-results:
			case <-ctx.Done():
				for name := range open {
					answer.Missing = append(answer.Missing, missing(name, ctx.Err()))
				}
				clear(open)
				continue
			}
		}
		delete(open, r.name)
		if r.err != nil {
			answer.Missing = append(answer.Missing, missing(r.name, r.err))
			continue
		}
		if answer.Parts == nil {
			answer.Parts = map[string]json.RawMessage{}
		}
		answer.Parts[r.name] = r.part
	}
	slices.SortFunc(answer.Missing, func(a, b Missing) int { return strings.Compare(a.Part, b.Part) })
	return answer
}

// fetch asks the source. A panic is the part's failure: it must not end a process whose
// other requests have nothing to do with it.
func (source Source[K]) fetch(ctx context.Context, name string, of K) (r result) {
	r.name = name
	defer func() {
		if p := recover(); p != nil {
			r.err = fmt.Errorf("the source of %s panicked: %v\n%s", name, p, debug.Stack())
		}
	}()
	part, err := source(ctx, of)
	if err != nil {
		r.err = err
		return r
	}
	if r.part, err = json.Marshal(part); err != nil {
		r.err = fmt.Errorf("encode the part %s: %w", name, err)
	}
	return r
}

func missing(name string, err error) Missing {
	var known *Error
	switch {
	case errors.As(err, &known):
		return Missing{Part: name, Why: known.Why, Status: known.Status, Err: err}
	case timedOut(err):
		return Missing{Part: name, Why: Timeout, Err: err}
	default:
		return Missing{Part: name, Why: Failed, Err: err}
	}
}
