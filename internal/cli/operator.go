package cli

import (
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Whoami is the operator where no other name is given: the user and the host.
func Whoami() string {
	name, host := fmt.Sprintf("uid %d", os.Getuid()), "unknown-host"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}

// Spoken is the command as it was given, in words that a shell takes. Flags in except
// are left out.
func Spoken(cmd *cobra.Command, args []string, except ...string) string {
	words := []string{cmd.CommandPath()}
	for _, arg := range args {
		words = append(words, quoted(arg))
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if slices.Contains(except, f.Name) {
			return
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, v := range values {
			words = append(words, "--"+f.Name+"="+quoted(v))
		}
	})
	return strings.Join(words, " ")
}

// quoted is a word for a shell.
func quoted(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@+,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Throttle lets progress be told about once a second.
type Throttle struct{ next time.Time }

// Ready says that it is time to tell.
func (t *Throttle) Ready() bool {
	now := time.Now()
	if now.Before(t.next) {
		return false
	}
	t.next = now.Add(time.Second)
	return true
}

// Plural counts a thing.
func Plural[N int | int64](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// Line keeps what others wrote from breaking a table or a terminal.
func Line(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// Short is a line that fits into a column.
func Short(s string) string {
	const longest = 80
	if runes := []rune(Line(s)); len(runes) > longest {
		return string(runes[:longest-1]) + "…"
	}
	return Line(s)
}
