package protocol

import (
	"strings"

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

// storable drops from a problem's texts what jsonb cannot hold. A refusal often
// quotes what somebody typed; that must not keep it from being told.
func storable(p saga.Problem) saga.Problem {
	clean := func(s string) string {
		return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	}
	return saga.Problem{Type: clean(p.Type), Title: clean(p.Title), Detail: clean(p.Detail)}
}
