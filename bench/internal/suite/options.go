package suite

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Options are what every benchmark can be told.
type Options struct {
	// Rounds is how often each contender has its turn.
	Rounds int
	// Latency is how long a round of single ones takes.
	Latency time.Duration
	// Only are the names of the parts to run.
	Only []string
	// Page is the file for the tables of a whole run; empty prints them.
	Page string
	// Command is what was called.
	Command string
}

// Flags are the flags of a benchmark: those that all have, and its numbers.
type Flags struct {
	set     *flag.FlagSet
	program string
	parts   []string
	numbers []number
	common  Options
	only    string
}

type number struct {
	name  string
	value *int
	least int
}

// NewFlags begins with the program as it is called in the folder bench, with what it
// moves or carries out, and with the names of its parts.
func NewFlags(program, things string, parts []string) *Flags {
	f := &Flags{set: flag.NewFlagSet(program, flag.ContinueOnError), program: program, parts: parts}
	f.set.IntVar(&f.common.Rounds, "rounds", 3, "rounds of each contender")
	f.set.DurationVar(&f.common.Latency, "latency", 15*time.Second, "length of a round of single "+things)
	f.set.StringVar(&f.only, "only", strings.Join(parts, ","), "`scenarios` to run")
	f.set.StringVar(&f.common.Page, "page", "", "Markdown `file` to write the tables of a whole run into")
	return f
}

// Number adds a flag that takes a number, of at least so much.
func (f *Flags) Number(value *int, name string, usual, least int, usage string) {
	f.set.IntVar(value, name, usual, usage)
	f.numbers = append(f.numbers, number{name, value, least})
}

// Parse reads what was called. Help and complaints of what is no flag go to out.
func (f *Flags) Parse(args []string, out io.Writer) (Options, error) {
	f.set.SetOutput(out)
	if err := f.set.Parse(args); err != nil {
		return Options{}, err
	}
	f.common.Only = strings.Split(f.only, ",")
	f.common.Command = strings.Join(append([]string{"cd bench &&", f.program}, args...), " ")
	return f.common, f.check()
}

func (f *Flags) check() error {
	if f.set.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", f.set.Arg(0))
	}
	for _, name := range f.common.Only {
		if !slices.Contains(f.parts, name) {
			return fmt.Errorf("-only: no scenario is called %q; there are %s", name, strings.Join(f.parts, ", "))
		}
	}
	for _, n := range f.numbers {
		if *n.value < n.least {
			return fmt.Errorf("-%s is %d, want at least %d", n.name, *n.value, n.least)
		}
	}
	if f.common.Rounds < 1 || f.common.Latency < time.Second {
		return fmt.Errorf("-rounds is %d and -latency %v, want at least 1 and 1s", f.common.Rounds, f.common.Latency)
	}
	return nil
}
