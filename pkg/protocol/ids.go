package protocol

import (
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"go.example/saga/pkg/saga"
)

// Namespace is the UUID under which ids are derived: UUIDv5 of the URL
// https://go.example/saga (RFC 9562, section 5.5).
var Namespace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://go.example/saga"))

// Key is "<saga>/<step>/<operation>": the same over all attempts of a command.
// Participants do each key at most once.
func Key(id saga.ID, step string, op saga.Operation) string {
	return key(uuid.UUID(id).String(), step, op)
}

func key(id, step string, op saga.Operation) string { return id + "/" + step + "/" + string(op) }

// CommandID is the message id of one attempt of a command.
func CommandID(id saga.ID, step string, op saga.Operation, attempt int) uuid.UUID {
	return derive(Namespace, Key(id, step, op)+"/"+strconv.Itoa(attempt))
}

// ReplyID is the message id of the answer to a command. The outcome is part of
// it: a command that was answered with retry and then comes a second time may
// succeed, and that is another message.
func ReplyID(command uuid.UUID, outcome saga.Outcome) uuid.UUID {
	return derive(command, "reply/"+string(outcome))
}

// EventID is the message id of an event. A saga can be parked more than once,
// therefore its version is part of it.
func EventID(id saga.ID, kind saga.EventKind, version int64) uuid.UUID {
	return derive(Namespace, fmt.Sprintf("%s/%s/%d", uuid.UUID(id), kind, version))
}

func derive(space uuid.UUID, name string) uuid.UUID {
	return uuid.NewSHA1(space, []byte(name))
}
