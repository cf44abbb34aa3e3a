package protocol_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

func aFact() protocol.Fact {
	return protocol.Fact{
		MessageID: uuid.New(), Type: "room.booked", Service: "hotel", Subject: "a b/ü",
		SagaID: saga.ID(uuid.New()), Payload: jsonmap.JSONMap{"bookingId": "7f0c"},
	}
}

// heard is what a consumer gets of the message when the relay has published it.
func heard(m outbox.Message) inbox.Delivery {
	return inbox.Delivery{
		MessageID: m.ID.String(), Type: m.Type, CorrelationID: m.CorrelationID, ContentType: m.ContentType,
		Body: m.Payload, Headers: maps.Clone(m.Headers),
	}
}

func TestFactIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	f := aFact()
	m, err := protocol.FactMessage(f)
	require.NoError(t, err)
	require.NoError(t, outbox.Validate(m))
	require.Equal(t, "saga.events", m.Exchange)
	require.Equal(t, "hotel.room.booked", m.RoutingKey)
	got, err := protocol.DecodeFact(heard(m))
	require.NoError(t, err)
	require.Equal(t, f, got)
}

func TestWhatIsNoFact(t *testing.T) {
	t.Parallel()
	m, err := protocol.FactMessage(aFact())
	require.NoError(t, err)
	for want, change := range map[string]func(d *inbox.Delivery){
		"message_id: is missing or empty":                       func(d *inbox.Delivery) { d.MessageID = "" },
		"message_id: is not a UUID":                             func(d *inbox.Delivery) { d.MessageID = "7" },
		"correlation_id: is missing or empty":                   func(d *inbox.Delivery) { d.CorrelationID = "" },
		"correlation_id: is not a UUID":                         func(d *inbox.Delivery) { d.CorrelationID = strings.ToUpper(d.CorrelationID) },
		"type: is missing or empty":                             func(d *inbox.Delivery) { d.Type = "" },
		"cloudEvents_sagaservice: is missing or empty":          func(d *inbox.Delivery) { d.Headers = nil },
		"cloudEvents_subject: is missing or empty":              func(d *inbox.Delivery) { d.Headers[protocol.HeaderSubject] = "" },
		"cloudEvents_sagaservice: contains a control character": func(d *inbox.Delivery) { d.Headers[protocol.HeaderService] = "a\nb" },
		"body: ": func(d *inbox.Delivery) { d.Body = []byte("[]") },
	} {
		d := heard(m)
		change(&d)
		_, err := protocol.DecodeFact(d)
		require.ErrorContains(t, err, want)
	}
}
