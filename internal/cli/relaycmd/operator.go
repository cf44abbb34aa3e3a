package relaycmd

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"go.example/saga/internal/cli"
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
		by = cli.Whoami()
	}
	text := fmt.Sprintf("%s by %s at %s", done, by, moment(time.Now()))
	if s.note != "" {
		text += ": " + s.note
	}
	return text
}
