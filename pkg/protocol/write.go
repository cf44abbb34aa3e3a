package protocol

import (
	"encoding/json"
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

// commandBody is the body of a command.
type commandBody struct {
	Payload jsonmap.JSONMap `json:"payload"`
	Outputs jsonmap.JSONMap `json:"outputs"`
}

// Content is the body of a command that carries payload and outputs. It fails where
// they are not JSON or have, as PostgreSQL prints them, more than [MaxContent] bytes.
// A saga whose own have more may be unable to tell its end, whatever its commands
// carry.
func Content(payload, outputs jsonmap.JSONMap) ([]byte, error) {
	body, err := json.Marshal(commandBody{object(payload), object(outputs)})
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
