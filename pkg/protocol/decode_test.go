package protocol_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/schematest"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// damage is one way to spoil a good message, and the field that must be named.
type damage struct {
	name  string
	spoil func(*inbox.Delivery)
	field string
}

func set(header, value string) func(*inbox.Delivery) {
	return func(d *inbox.Delivery) { d.Headers[header] = value }
}

func drop(header string) func(*inbox.Delivery) {
	return func(d *inbox.Delivery) { delete(d.Headers, header) }
}

func body(text string) func(*inbox.Delivery) {
	return func(d *inbox.Delivery) { d.Body = []byte(text) }
}

func headerDamages() []damage {
	return []damage{
		{"no saga id", drop("cloudEvents_sagaid"), "cloudEvents_sagaid"},
		{"saga id no uuid", set("cloudEvents_sagaid", "42"), "cloudEvents_sagaid"},
		{"saga id upper case", set("cloudEvents_sagaid", "0199A000-0000-7000-8000-000000000001"), "cloudEvents_sagaid"},
		{"saga id nil", set("cloudEvents_sagaid", "00000000-0000-0000-0000-000000000000"), "cloudEvents_sagaid"},
		{"no type", drop("cloudEvents_sagatype"), "cloudEvents_sagatype"},
		{"no step", drop("cloudEvents_sagastep"), "cloudEvents_sagastep"},
		{"step with NUL", set("cloudEvents_sagastep", "a\x00b"), "cloudEvents_sagastep"},
		{"step with bad UTF-8", set("cloudEvents_sagastep", "a\xff"), "cloudEvents_sagastep"},
		{"step too long", set("cloudEvents_sagastep", strings.Repeat("s", 256)), "cloudEvents_sagastep"},
		{"unknown operation", set("cloudEvents_sagaop", "UNDO"), "cloudEvents_sagaop"},
		{"operation in lower case", set("cloudEvents_sagaop", "request"), "cloudEvents_sagaop"},
		{"attempt zero", set("cloudEvents_sagaattempt", "0"), "cloudEvents_sagaattempt"},
		{"attempt negative", set("cloudEvents_sagaattempt", "-1"), "cloudEvents_sagaattempt"},
		{"attempt padded", set("cloudEvents_sagaattempt", "01"), "cloudEvents_sagaattempt"},
		{"attempt huge", set("cloudEvents_sagaattempt", "99999999999"), "cloudEvents_sagaattempt"},
		{"key of another step", set("cloudEvents_sagakey", "0199a000-0000-7000-8000-000000000001/other/REQUEST"), "cloudEvents_sagakey"},
		{"no key", drop("cloudEvents_sagakey"), "cloudEvents_sagakey"},
		{"no message id", func(d *inbox.Delivery) { d.MessageID = "" }, "message_id"},
	}
}

// bodyDamages are wrong for every kind of message.
func bodyDamages() []damage {
	return []damage{
		{"empty", body(""), "body"},
		{"truncated", body(`{"payload":`), "body"},
		{"null", body("null"), "body"},
		{"an array", body("[]"), "body"},
		{"a number", body("1"), "body"},
		{"trailing garbage", body(`{} {}`), "body"},
		{"NUL", body(`{"payload":{"a":"\u0000"}}`), "body"},
		{"lone surrogate", body(`{"payload":{"a":"\ud800"}}`), "body"},
		{"invalid UTF-8", body("{\"payload\":{\"a\":\"\xff\"}}"), "body"},
		{"too deep", body(`{"payload":` + strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20001)), "body"},
		{"too large", body(`{"payload":{"a":"` + strings.Repeat("x", protocol.MaxBody) + `"}}`), "body"},
		{"gzip", body("\x1f\x8b\x08\x00"), "body"},
		{"no content type", func(d *inbox.Delivery) { d.ContentType = "" }, "content_type"},
		{"content type text", func(d *inbox.Delivery) { d.ContentType = "text/plain" }, "content_type"},
		{"content type garbage", func(d *inbox.Delivery) { d.ContentType = ";;" }, "content_type"},
		{"charset", func(d *inbox.Delivery) { d.ContentType += "; charset=latin1" }, "content_type"},
		{"content type json of another kind", func(d *inbox.Delivery) { d.ContentType = "text/json+xml" }, "content_type"},
		{"compressed", func(d *inbox.Delivery) { d.ContentEncoding = "gzip" }, "content_encoding"},
	}
}

// check has each damage refused by decode, and by the schema of that name where one can know it.
func check(t *testing.T, schema string, good func() inbox.Delivery, decode func(inbox.Delivery) error, damages ...damage) {
	t.Helper()
	compiled := schematest.Compile(t, schema)
	require.NoError(t, decode(good()))
	requireFits(t, compiled, good())
	for _, c := range damages {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := good()
			c.spoil(&d)
			var why *protocol.DecodeError
			require.ErrorAs(t, decode(d), &why)
			require.Equal(t, c.field, why.Field, why.Error())
			requireUnfit(t, compiled, c.name, d)
		})
	}
}

func TestDecodeCommandRefuses(t *testing.T) {
	t.Parallel()
	good := func() inbox.Delivery { return wire(sampleCommand(t)) }
	damages := append(append(headerDamages(), bodyDamages()...),
		damage{"message id no uuid", func(d *inbox.Delivery) { d.MessageID = "m-1" }, "message_id"},
		damage{"no reply_to", func(d *inbox.Delivery) { d.ReplyTo = "" }, "reply_to"},
		damage{"payload is null", body(`{"payload":null}`), "body"},
		damage{"payload is a list", body(`{"payload":[]}`), "body"},
		damage{"output is a string", body(`{"outputs":{"a":"b"}}`), "body"},
	)
	check(t, "command", good, func(d inbox.Delivery) error { _, err := protocol.DecodeCommand(d); return err }, damages...)
}

func TestDecodeReplyRefuses(t *testing.T) {
	t.Parallel()
	good := func() inbox.Delivery {
		m, err := protocol.ReplyMessage(decoded(t, sampleCommand(t)), protocol.Reply{Outcome: saga.OutcomeSucceeded})
		require.NoError(t, err)
		return wire(m)
	}
	damages := append(append(headerDamages(), bodyDamages()...),
		damage{"no outcome", drop("cloudEvents_sagaoutcome"), "cloudEvents_sagaoutcome"},
		damage{"unknown outcome", set("cloudEvents_sagaoutcome", "BOOKED"), "cloudEvents_sagaoutcome"},
		damage{"compensated answers no REQUEST", set("cloudEvents_sagaoutcome", "compensated"), "cloudEvents_sagaoutcome"},
		damage{"confirmed answers no REQUEST", set("cloudEvents_sagaoutcome", "confirmed"), "cloudEvents_sagaoutcome"},
		damage{"message id with control characters", func(d *inbox.Delivery) { d.MessageID = "a\nb" }, "message_id"},
	)
	check(t, "reply", good, func(d inbox.Delivery) error { _, _, err := protocol.DecodeReply(d); return err }, damages...)
}

func TestDecodeEventRefuses(t *testing.T) {
	t.Parallel()
	good := func() inbox.Delivery {
		st := sampleState(t)
		st.Status = saga.StatusCompleted
		m, err := protocol.EventMessage("trips", st, saga.EmitEvent{Kind: saga.EventCompleted})
		require.NoError(t, err)
		return wire(m)
	}
	damages := append(bodyDamages(),
		damage{"another saga in the body", set("cloudEvents_sagaid", "0199a000-0000-7000-8000-000000000002"), "body"},
		damage{"another type in the body", set("cloudEvents_sagatype", "other"), "body"},
		damage{"type against status", func(d *inbox.Delivery) { d.Type = "room-reservation.aborted" }, "type"},
		damage{"no message id", func(d *inbox.Delivery) { d.MessageID = "" }, "message_id"},
	)
	check(t, "event", good, func(d inbox.Delivery) error { _, err := protocol.DecodeEvent(d); return err }, damages...)
}

// Members of a wrong type in a problem are ignored (RFC 9457, section 3.1).
func TestProblemIsReadLeniently(t *testing.T) {
	t.Parallel()
	m, err := protocol.ReplyMessage(decoded(t, sampleCommand(t)), protocol.Reply{Outcome: saga.OutcomeFailed})
	require.NoError(t, err)
	d := wire(m)
	d.Body = []byte(`{"type":7,"title":"No","detail":null,"status":409,"balance":3}`)
	_, reply, err := protocol.DecodeReply(d)
	require.NoError(t, err)
	require.Equal(t, saga.Problem{Title: "No"}, reply.Problem)
}

// fuzz seeds f with the message and runs decode over it with one part replaced.
func fuzz(f *testing.F, m inbox.Delivery, decode func(inbox.Delivery) ([]string, error)) {
	for _, op := range []string{"REQUEST", "CONFIRM", "CANCEL"} {
		f.Add(m.Body, m.MessageID, m.ContentType, m.Headers["cloudEvents_sagastep"], op, m.Headers["cloudEvents_sagaattempt"], m.Headers["cloudEvents_sagaoutcome"])
	}
	f.Fuzz(func(t *testing.T, body []byte, id, contentType, step, op, attempt, outcome string) {
		d := m
		d.Body, d.MessageID, d.ContentType = body, id, contentType
		d.Headers = map[string]string{}
		for k, v := range m.Headers {
			d.Headers[k] = v
		}
		d.Headers["cloudEvents_sagastep"] = step
		d.Headers["cloudEvents_sagaop"] = op
		d.Headers["cloudEvents_sagakey"] = d.Headers["cloudEvents_sagaid"] + "/" + step + "/" + op
		d.Headers["cloudEvents_sagaattempt"] = attempt
		d.Headers["cloudEvents_sagaoutcome"] = outcome
		texts, err := decode(d)
		if err != nil {
			var why *protocol.DecodeError
			if !errors.As(err, &why) || why.Field == "" || why.Reason == "" {
				t.Fatalf("not a DecodeError: %v", err)
			}
			return
		}
		for _, s := range texts {
			if !utf8.ValidString(s) || strings.Contains(s, "\x00") {
				t.Fatalf("PostgreSQL cannot store %q", s)
			}
		}
	})
}

func FuzzDecodeCommand(f *testing.F) {
	fuzz(f, wire(sampleCommand(f)), func(d inbox.Delivery) ([]string, error) {
		cmd, err := protocol.DecodeCommand(d)
		return []string{cmd.Step, cmd.SagaType, cmd.ReplyTo}, err
	})
}

func FuzzDecodeReply(f *testing.F) {
	m, err := protocol.ReplyMessage(decoded(f, sampleCommand(f)), protocol.Reply{Outcome: saga.OutcomeFailed})
	require.NoError(f, err)
	fuzz(f, wire(m), func(d inbox.Delivery) ([]string, error) {
		_, r, err := protocol.DecodeReply(d)
		return []string{r.Step, r.MessageID, r.Problem.Type, r.Problem.Title, r.Problem.Detail}, err
	})
}

func FuzzDecodeEvent(f *testing.F) {
	st := sampleState(f)
	st.Status = saga.StatusCompleted
	m, err := protocol.EventMessage("trips", st, saga.EmitEvent{Kind: saga.EventCompleted})
	require.NoError(f, err)
	fuzz(f, wire(m), func(d inbox.Delivery) ([]string, error) {
		e, err := protocol.DecodeEvent(d)
		return []string{e.SagaType, e.BusinessKey, string(e.ParkReason)}, err
	})
}

// What an answer means stands in its header; frameworks send what type they know.
func TestRepliesOfAnyJSONType(t *testing.T) {
	t.Parallel()
	for _, outcome := range []saga.Outcome{saga.OutcomeSucceeded, saga.OutcomeFailed, saga.OutcomeRetry} {
		for _, contentType := range []string{
			"application/json", "application/problem+json", "application/json; charset=utf8", "Application/JSON; charset=UTF-8",
			"application/vnd.masstransit+json", "application/problem+json; charset=utf-8",
		} {
			m, err := protocol.ReplyMessage(decoded(t, sampleCommand(t)), protocol.Reply{Outcome: outcome, Problem: saga.Problem{Title: "no"}})
			require.NoError(t, err)
			d := wire(m)
			d.ContentType, d.ContentEncoding = contentType, "utf-8"
			_, reply, err := protocol.DecodeReply(d)
			require.NoError(t, err, contentType)
			require.Equal(t, outcome, reply.Outcome)
			require.Equal(t, outcome != saga.OutcomeSucceeded, reply.Problem.Title == "no", contentType)
		}
	}
}
