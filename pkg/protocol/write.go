package protocol

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
)

// Content is the body of a command that carries payload and outputs. It fails where
// they are not JSON or have, as PostgreSQL prints them, more than [MaxContent] bytes.
// A saga whose own have more may be unable to tell its end, whatever its commands
// carry.
func Content(payload, outputs jsonmap.JSONMap) ([]byte, error) {
	body, err := contentOf(payload, outputs)
	if err != nil {
		return nil, err
	}
	size, err := jsonmap.Size(body)
	if err != nil {
		return nil, err
	}
	if size > MaxContent {
		return nil, fmt.Errorf("payload and outputs have %d bytes, at most %d are allowed", size, MaxContent)
	}
	return body, nil
}

// contentOf is an object of the two. json.Marshal would read what they write once more.
func contentOf(payload, outputs jsonmap.JSONMap) ([]byte, error) {
	first, err := payload.MarshalJSON()
	if err != nil {
		return nil, err
	}
	second, err := outputs.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return slices.Concat([]byte(`{"payload":`), first, []byte(`,"outputs":`), second, []byte(`}`)), nil
}

// Fits is the error of [Content], which it finds out without writing the body where
// payload and outputs are so small that no way of printing them could be too long.
func Fits(payload, outputs jsonmap.JSONMap) error {
	if jsonmap.AtMost(payload)+jsonmap.AtMost(outputs) < MaxContent-64 {
		return nil
	}
	_, err := Content(payload, outputs)
	return err
}

// tellable makes a problem's texts fit to be stored and sent on: without what
// jsonb cannot hold, and cut at MaxProblemText. A refusal often quotes what
// somebody typed; that must not keep it from being told.
func tellable(p saga.Problem) saga.Problem {
	return shortened(p, MaxProblemText)
}

func shortened(p saga.Problem, limit int) saga.Problem {
	return saga.Problem{Type: clean(p.Type, limit), Title: clean(p.Title, limit), Detail: clean(p.Detail, limit)}
}

func clean(s string, limit int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if len(s) <= limit {
		return s
	}
	cut := limit - len("…")
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
