package protocol

import (
	"mime"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
)

// Bounds of what is accepted.
const (
	// MaxBody is the largest body in bytes.
	MaxBody = 1 << 20
	// MaxText is the largest property or header value in bytes: what an AMQP
	// short string holds.
	MaxText = 255
	// MaxContent is what a saga's payload and outputs may have together, as the
	// body of a command. The rest of MaxBody is for what an event says besides: a
	// saga that could begin must never be unable to tell its end.
	MaxContent = MaxBody - 64<<10
	// MaxProblemText is where each text of a problem is cut, in bytes.
	MaxProblemText = 2000
	// MaxWhy is where each text is cut in bytes that says in an event why the saga was parked
	// or killed: the room that [MaxContent] leaves is for the failure's problem, too.
	MaxWhy = 500
)

// Media types of the bodies.
const (
	typeJSON    = "application/json"
	typeProblem = "application/problem+json" // RFC 9457
)

// reader takes a delivery apart and remembers the first thing that is wrong, so
// that decoding reads as a list of fields.
type reader struct {
	d   inbox.Delivery
	err error
}

func (r *reader) fail(field, format string, args ...any) {
	if r.err == nil {
		r.err = bad(field, format, args...)
	}
}

// text checks that value is there and can stand in a database row, a log line
// and a terminal.
func (r *reader) text(field, value string) string {
	switch {
	case 0 < len(value) && len(value) <= MaxText && printable(value):
	case value == "":
		r.fail(field, "is missing or empty")
	case len(value) > MaxText:
		r.fail(field, "has %d bytes, at most %d are allowed", len(value), MaxText)
	case !utf8.ValidString(value):
		r.fail(field, "is not valid UTF-8")
	case strings.ContainsFunc(value, unicode.IsControl):
		r.fail(field, "contains a control character")
	}
	return value
}

// printable says whether the text is of printable ASCII, as nearly all is.
func printable(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

func (r *reader) header(name string) string { return r.text(name, r.d.Headers[name]) }

// uuid accepts the canonical form only: one id has one spelling, and keys that
// contain it can be compared as text.
func (r *reader) uuid(field, value string) uuid.UUID {
	id, err := uuid.Parse(value)
	if err == nil && len(value) == len("00000000-0000-0000-0000-000000000000") && value == strings.ToLower(value) && id != uuid.Nil {
		return id
	}
	r.text(field, value) // what it says is more exact
	r.fail(field, "is not a UUID in its canonical lower-case form")
	return uuid.Nil
}

func (r *reader) operation() saga.Operation {
	op := saga.Operation(r.header(HeaderSagaOp))
	if op != saga.Request && op != saga.Confirm && op != saga.Cancel {
		r.fail(HeaderSagaOp, "is %q, want %s, %s or %s", op, saga.Request, saga.Confirm, saga.Cancel)
	}
	return op
}

func (r *reader) attempt() int {
	value := r.header(HeaderSagaAttempt)
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil || n < 1 || strconv.FormatInt(n, 10) != value {
		r.fail(HeaderSagaAttempt, "is %q, want a positive decimal number", value)
	}
	return int(n)
}

// body reads the JSON object that every message of this protocol carries.
func (r *reader) body() jsonmap.JSONMap {
	if r.d.ContentType != typeJSON && r.d.ContentType != typeProblem {
		r.contentType()
	}
	switch strings.ToLower(r.d.ContentEncoding) {
	case "", "identity", "utf-8", "utf8": // the latter is what Python's kombu says of a text
	default:
		r.fail("content_encoding", "is %q, want none: a body is sent as it is", r.d.ContentEncoding)
	}
	if len(r.d.Body) > MaxBody {
		r.fail("body", "has %d bytes, at most %d are allowed", len(r.d.Body), MaxBody)
	}
	if r.err != nil {
		return nil
	}
	object, err := jsonmap.Parse(r.d.Body)
	if err != nil {
		r.fail("body", "%s", err)
	}
	return object
}

// contentType takes any that is JSON: many frameworks know but one, and what the body means
// stands in the headers.
func (r *reader) contentType() {
	got, params, err := mime.ParseMediaType(r.d.ContentType)
	if err != nil || got != typeJSON && !strings.HasSuffix(got, "+json") {
		r.fail("content_type", "is %q, want %s or another that ends in +json", r.d.ContentType, typeJSON)
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(strings.ReplaceAll(charset, "-", ""), "utf8") {
		r.fail("content_type", "has the charset %q, JSON is UTF-8", charset)
	}
}

// member takes an object out of the body. One that is absent is empty.
func (r *reader) member(body jsonmap.JSONMap, name string) jsonmap.JSONMap {
	value, there := body[name]
	if !there {
		return jsonmap.JSONMap{}
	}
	object, ok := asObject(value)
	if !ok {
		r.fail("body", "%s is not an object", name)
	}
	return object
}

// str takes an optional string out of the body.
func (r *reader) str(body jsonmap.JSONMap, name string) string {
	value, there := body[name]
	if !there {
		return ""
	}
	s, ok := value.(string)
	if !ok {
		r.fail("body", "%s is not a string", name)
	}
	return s
}

func asObject(value any) (jsonmap.JSONMap, bool) {
	switch v := value.(type) {
	case jsonmap.JSONMap:
		return v, v != nil
	case map[string]any:
		return v, v != nil
	}
	return nil, false
}
