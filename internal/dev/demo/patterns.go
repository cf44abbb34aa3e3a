package demo

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.example/saga/internal/dev/stack"
)

// usual is the pattern of a demo that names none.
const usual = "orchestration"

// patterns are the ways of working together that a demo can show, by the name in
// `make demo PATTERN=name`. Each has a page of its name in docs/patterns.
var patterns = map[string]func(context.Context, environment, io.Writer) error{
	usual: func(ctx context.Context, env environment, out io.Writer) error { return env.run(ctx, out) },
	"2pc": func(ctx context.Context, env environment, out io.Writer) error { return env.twoPhase(ctx, out) },
	"approvals": func(ctx context.Context, env environment, out io.Writer) error {
		return approvals().show(ctx, env, out)
	},
	"choreography": choreography,
	"delays":       func(ctx context.Context, env environment, out io.Writer) error { return delays().show(ctx, env, out) },
	"parallel":     func(ctx context.Context, env environment, out io.Writer) error { return parallel().show(ctx, env, out) },
	"point-to-point": func(ctx context.Context, env environment, out io.Writer) error {
		return pointToPoint().show(ctx, env, out)
	},
	"webhooks":        func(ctx context.Context, env environment, out io.Writer) error { return webhooks().show(ctx, env, out) },
	"tcc":             func(ctx context.Context, env environment, out io.Writer) error { return tcc().show(ctx, env, out) },
	"api-composition": func(ctx context.Context, env environment, out io.Writer) error { return env.compose(ctx, out) },
}

// Patterns are the names of the demos, in order.
func Patterns() []string { return slices.Sorted(maps.Keys(patterns)) }

// Run is `make demo`. It prints to out and returns an error when something did not end
// as the pattern, or the usual one where it is empty, promises. Where shared names one of
// [stack.Forms], the usual demo runs with services that share a database so.
func Run(ctx context.Context, pattern, shared string, out io.Writer) error {
	if pattern == "" {
		pattern = usual
	}
	if shared != "" && !slices.Contains(stack.Forms(), shared) {
		return fmt.Errorf("a database cannot be shared as %q: say one of %s", shared, strings.Join(stack.Forms(), ", "))
	}
	if shared != "" && pattern != usual {
		return fmt.Errorf("the demo of the pattern %q has a database for each service: leave SHARED out, or the PATTERN", pattern)
	}
	run, known := patterns[pattern]
	if !known {
		return fmt.Errorf("there is no demo of the pattern %q: say one of %s", pattern, strings.Join(Patterns(), ", "))
	}
	env, err := prepareForm(ctx, stack.Form(shared), reporter(out))
	if err != nil {
		return err
	}
	return run(ctx, env, out)
}
