package rabbit_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/rabbit"
)

// anyText is text of any bytes, also such as JSON in PostgreSQL does not take.
var anyText = rapid.OneOf(rapid.String(), rapid.Custom(func(t *rapid.T) string {
	return string(rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "bytes"))
}), rapid.SampledFrom([]string{"", "base64:YQ==", "\x00", "a\x00b", "\xff", `{"int32": 5}`, "<&>\u2028", "bits:1"}))

// anyTime is a time of AMQP: whole seconds.
var anyTime = rapid.Custom(func(t *rapid.T) time.Time {
	return time.Unix(rapid.Int64().Draw(t, "seconds"), 0).UTC()
})

// anyValue is one of the values that the library reads and writes.
func anyValue(depth int) *rapid.Generator[any] {
	kinds := []*rapid.Generator[any]{
		rapid.Just(any(nil)), rapid.Bool().AsAny(), rapid.Uint8().AsAny(), rapid.Int8().AsAny(), rapid.Int16().AsAny(),
		rapid.Uint16().AsAny(), rapid.Int32().AsAny(), rapid.Uint32().AsAny(), rapid.Int64().AsAny(),
		rapid.Float32().AsAny(), rapid.Float64().AsAny(), anyText.AsAny(), anyTime.AsAny(),
		rapid.SliceOfN(rapid.Byte(), 0, 20).AsAny(),
		rapid.SampledFrom([]any{math.Copysign(0, -1), float32(math.Copysign(0, -1)), math.Inf(-1), 5e-324, int64(math.MaxInt64)}),
		rapid.Custom(func(t *rapid.T) any {
			return amqp.Decimal{Scale: rapid.Uint8().Draw(t, "scale"), Value: rapid.Int32().Draw(t, "value")}
		}),
	}
	if depth > 0 {
		kinds = append(kinds, anyTable(depth-1).AsAny(), rapid.Custom(func(t *rapid.T) any {
			list := rapid.SliceOfN(anyValue(depth-1), 0, 4).Draw(t, "list")
			if len(list) == 0 {
				return []any(nil)
			}
			return list
		}))
	}
	return rapid.OneOf(kinds...)
}

func anyTable(depth int) *rapid.Generator[amqp.Table] {
	return rapid.Custom(func(t *rapid.T) amqp.Table {
		return amqp.Table(rapid.MapOfN(anyText, anyValue(depth), 0, 5).Draw(t, "table"))
	})
}

var anyMessage = rapid.Custom(func(t *rapid.T) amqp.Publishing {
	text := func(name string) string { return anyText.Draw(t, name) }
	return amqp.Publishing{
		Headers: anyTable(3).Draw(t, "headers"), ContentType: text("content type"), ContentEncoding: text("encoding"),
		DeliveryMode: rapid.Uint8().Draw(t, "mode"), Priority: rapid.Uint8().Draw(t, "priority"),
		CorrelationId: text("correlation"), ReplyTo: text("reply to"), Expiration: text("expiration"),
		MessageId: text("id"), Timestamp: anyTime.Draw(t, "timestamp"), Type: text("type"), UserId: text("user"),
		AppId: text("app"), Body: []byte(text("body")),
	}
})

// Whatever AMQP can say of a message comes back from a column of type jsonb as it was.
func TestAMessageSurvivesBeingSetAside(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t)
	rapid.Check(t, func(t *rapid.T) {
		sent := anyMessage.Draw(t, "message")
		properties, headers, err := rabbit.EncodeOriginal(sent)
		require.NoError(t, err)
		again, headersAgain, err := rabbit.EncodeOriginal(sent)
		require.NoError(t, err)
		require.Equal(t, []string{string(properties), string(headers)}, []string{string(again), string(headersAgain)})
		var kept, keptHeaders json.RawMessage
		require.NoError(t, db.QueryRow(t.Context(), `SELECT $1::jsonb, $2::jsonb`, properties, headers).Scan(&kept, &keptHeaders))
		back, err := rabbit.DecodeOriginal(kept, keptHeaders, sent.Body)
		require.NoError(t, err)
		require.Equal(t, sent, back)
	})
}

// NaN is not equal to itself, so it has a test of its own.
func TestEachNaNSurvives(t *testing.T) {
	t.Parallel()
	for _, bits := range []uint64{0x7ff8000000000000, 0x7ff0000000000001, 0xfff8dead0000beef} {
		properties, headers, err := rabbit.EncodeOriginal(amqp.Publishing{Headers: amqp.Table{
			"f": math.Float64frombits(bits), "g": math.Float32frombits(0x7fc00123),
		}})
		require.NoError(t, err)
		back, err := rabbit.DecodeOriginal(properties, headers, nil)
		require.NoError(t, err)
		require.Equal(t, bits, math.Float64bits(back.Headers["f"].(float64)))
		require.Equal(t, uint32(0x7fc00123), math.Float32bits(back.Headers["g"].(float32)))
	}
}

// What a person sees is readable.
func TestHeadersNameTheirTypes(t *testing.T) {
	t.Parallel()
	_, headers, err := rabbit.EncodeOriginal(amqp.Publishing{Headers: amqp.Table{
		"saga-id": "0198", "n": int32(5), "big": int64(math.MaxInt64), "price": amqp.Decimal{Scale: 2, Value: 1999},
		"at": time.Unix(1_800_000_000, 0), "raw": []byte{1}, "ok": true, "none": nil, "half": 0.5,
		"x-death": []any{amqp.Table{"count": int64(1)}}, "x-delivery-count": int64(7),
	}})
	require.NoError(t, err)
	require.JSONEq(t, `{"saga-id": "0198", "n": {"int32": 5}, "big": {"int64": 9223372036854775807},
		"price": {"decimal": {"scale": 2, "value": 1999}}, "at": {"timestamp": "2027-01-15T08:00:00Z"},
		"raw": {"bytes": "AQ=="}, "ok": true, "none": null, "half": {"float64": "0.5"},
		"x-death": [{"table": {"count": {"int64": 1}}}]}`, string(headers))
}

func FuzzDecodeOriginal(f *testing.F) {
	f.Add([]byte(`{"timestamp": 5}`), []byte(`{"a": {"table": {"b": [{"int32": 5}, null]}}}`))
	f.Add([]byte(`{"type": {"string64": "AA=="}}`), []byte(`{"base64:AA==": {"float32": "bits:7fc00001"}}`))
	f.Fuzz(func(t *testing.T, properties, headers []byte) {
		made, err := rabbit.DecodeOriginal(properties, headers, nil)
		if err != nil {
			return
		}
		p, h, err := rabbit.EncodeOriginal(made)
		require.NoError(t, err)
		_, err = rabbit.DecodeOriginal(p, h, nil)
		require.NoError(t, err)
	})
}

// full has every property and every type of header that a broker carries.
func full(queue string) amqp.Publishing {
	return amqp.Publishing{
		ContentType: "application/json", ContentEncoding: "identity", DeliveryMode: 2, Priority: 3, CorrelationId: "c\xff",
		ReplyTo: queue, Expiration: "600000", MessageId: "0198a3f0-0000-7000-8000-000000000001",
		Timestamp: time.Unix(1_800_000_000, 0).UTC(), Type: "some.type", AppId: "a\x00b", Body: []byte("\x00\xff any bytes"),
		Headers: amqp.Table{
			"text": "ä", "broken": "\xff\x00", "yes": true, "void": nil, "u8": uint8(255), "i8": int8(-128), "i16": int16(-1),
			"u16": uint16(1), "i32": int32(-5), "u32": uint32(5), "i64": int64(math.MaxInt64), "f32": float32(1.5), "f64": -1e300,
			"decimal": amqp.Decimal{Scale: 2, Value: 1999}, "at": time.Unix(1_700_000_000, 0).UTC(), "bytes": []byte{0, 255},
			"list": []any{int32(1), "two", nil}, "table": amqp.Table{"in": amqp.Table{"n": int64(1)}},
		},
	}
}

// What the broker delivers can be made again exactly.
func TestADeliveryKeepsItsOriginal(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	c := consumer(t, at(url), replies, 10)
	sent := full(replies)
	require.NoError(t, rawChannel(t, url).PublishWithContext(t.Context(), "", replies, true, false, sent))
	d := drain(t, c, 1)[0]
	require.Equal(t, replies, d.Queue)
	properties, headers, err := d.Original.Encode()
	require.NoError(t, err)
	back, err := rabbit.DecodeOriginal(properties, headers, d.Body)
	require.NoError(t, err)
	require.Equal(t, sent, back)
}
