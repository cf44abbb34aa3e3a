package protocol

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
)

// object makes an absent object an empty one: on the wire it is {}, never null.
func object(m jsonmap.JSONMap) jsonmap.JSONMap {
	if m == nil {
		return jsonmap.JSONMap{}
	}
	return m
}

// checkContent holds a command's body, as PostgreSQL prints it, to MaxContent.
func checkContent(body []byte) error {
	size, err := jsonmap.Size(body)
	if err != nil {
		return err
	}
	if size > MaxContent {
		return fmt.Errorf("the saga's payload and outputs have %d bytes, at most %d are allowed", size, MaxContent)
	}
	return nil
}

// tellable makes a problem's texts fit to be stored and sent on: without what
// jsonb cannot hold, and cut at MaxProblemText. A refusal often quotes what
// somebody typed; that must not keep it from being told.
func tellable(p saga.Problem) saga.Problem {
	return saga.Problem{Type: clean(p.Type), Title: clean(p.Title), Detail: clean(p.Detail)}
}

func clean(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if len(s) <= MaxProblemText {
		return s
	}
	cut := MaxProblemText - len("…")
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
