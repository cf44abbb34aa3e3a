// Package languages walks docs/protocol.md as somebody without Go does: the participants of
// examples/participants take part in sagas, are killed, and get everything twice.
package languages

import (
	"testing"

	"go.example/saga/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }
