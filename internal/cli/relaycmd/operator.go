package relaycmd

import (
	"fmt"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// signature is what an operator leaves with the messages that a command changes.
type signature struct{ note, by string }

func (s *signature) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.note, "note", "", "why, to be kept with the messages")
	cmd.Flags().StringVar(&s.by, "by", "", "who does it; default the user and the host")
}

func (s *signature) text(done string) string {
	by := s.by
	if by == "" {
		by = whoami()
	}
	text := fmt.Sprintf("%s by %s at %s", done, by, moment(time.Now()))
	if s.note != "" {
		text += ": " + s.note
	}
	return text
}

func whoami() string {
	name, host := fmt.Sprintf("uid %d", os.Getuid()), "unknown-host"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}

// spoken is the command as it was given, in words that a shell takes.
func spoken(cmd *cobra.Command) []string {
	words := []string{cmd.CommandPath()}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, v := range values {
			words = append(words, "--"+f.Name+"="+quoted(v))
		}
	})
	return words
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

// throttle lets progress be told about once a second.
type throttle struct{ next time.Time }

func (t *throttle) ready() bool {
	now := time.Now()
	if now.Before(t.next) {
		return false
	}
	t.next = now.Add(time.Second)
	return true
}

func plural(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
