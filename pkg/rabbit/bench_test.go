package rabbit_test

import (
	"context"
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
)

// benchWindow is the relay's default.
const benchWindow = 1024

// BenchmarkPublish sends the same command of 300 bytes through a window of 1024,
// by this package as the relay does and by the bare library, which is the limit.
// The broker's CPU is the bound: compare neighbours of one run only, and the
// CPU seconds, which are this process's.
func BenchmarkPublish(b *testing.B) {
	for _, kind := range []string{amqp.QueueTypeClassic, amqp.QueueTypeQuorum} {
		b.Run(kind+"/package", func(b *testing.B) { benchmark(b, kind, publishByPackage) })
		b.Run(kind+"/library", func(b *testing.B) { benchmark(b, kind, publishByLibrary) })
	}
}

// BenchmarkPublishAlone waits for each message before the next: what a single one
// takes.
func BenchmarkPublishAlone(b *testing.B) {
	b.Run("package", func(b *testing.B) {
		benchmark(b, amqp.QueueTypeClassic, func(b *testing.B, url string) {
			p, err := rabbit.OpenPublisher(b.Context(), at(url), 1)
			require.NoError(b, err)
			record := benchRecord()
			for b.Loop() {
				wait, err := p.Publish(b.Context(), record)
				require.NoError(b, err)
				require.NoError(b, wait(b.Context()))
			}
			require.NoError(b, p.Close())
		})
	})
	b.Run("library", func(b *testing.B) {
		benchmark(b, amqp.QueueTypeClassic, func(b *testing.B, url string) {
			connection, channel := benchChannel(b, url)
			message := benchMessage(benchRecord())
			for b.Loop() {
				confirmation, err := channel.PublishWithDeferredConfirm("", replies, true, false, message)
				require.NoError(b, err)
				require.True(b, confirmation.Wait())
			}
			require.NoError(b, connection.Close())
		})
	})
}

func benchmark(b *testing.B, kind string, publish func(b *testing.B, url string)) {
	url := testenv.Vhost(b)
	connection, err := amqp.Dial(url)
	require.NoError(b, err)
	defer connection.Close()
	channel, err := connection.Channel()
	require.NoError(b, err)
	_, err = channel.QueueDeclare(replies, true, false, false, false, amqp.Table{amqp.QueueTypeArg: kind})
	require.NoError(b, err)
	publish(b, url)
}

// measure calls publish b.N times, each for a message whose outcome wait returns
// in another goroutine.
func measure[T any](b *testing.B, publish func() (T, error), wait func(T) error) {
	flight := make(chan T, benchWindow)
	settled := make(chan error, 1)
	go func() {
		var failed error
		for sent := range flight {
			if err := wait(sent); err != nil {
				failed = err
			}
		}
		settled <- failed
	}()
	b.ReportAllocs()
	before := cpuSeconds(b)
	for b.Loop() {
		sent, err := publish()
		if err != nil {
			b.Fatal(err)
		}
		flight <- sent
	}
	close(flight)
	require.NoError(b, <-settled)
	b.ReportMetric((cpuSeconds(b)-before)*1e5/float64(b.N), "cpu-s/100k")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
}

func publishByPackage(b *testing.B, url string) {
	p, err := rabbit.OpenPublisher(b.Context(), at(url), benchWindow)
	require.NoError(b, err)
	record := benchRecord()
	measure(b,
		func() (func(context.Context) error, error) { return p.Publish(b.Context(), record) },
		func(wait func(context.Context) error) error { return wait(b.Context()) })
	require.NoError(b, p.Close())
}

func publishByLibrary(b *testing.B, url string) {
	connection, channel := benchChannel(b, url)
	message := benchMessage(benchRecord())
	slots := make(chan struct{}, benchWindow)
	measure(b,
		func() (*amqp.DeferredConfirmation, error) {
			slots <- struct{}{}
			return channel.PublishWithDeferredConfirm("", replies, true, false, message)
		},
		func(c *amqp.DeferredConfirmation) error {
			defer func() { <-slots }()
			if !c.Wait() {
				return outbox.ErrNacked
			}
			return nil
		})
	require.NoError(b, connection.Close())
}

func benchChannel(b *testing.B, url string) (*amqp.Connection, *amqp.Channel) {
	b.Helper()
	connection, err := amqp.Dial(url)
	require.NoError(b, err)
	channel, err := connection.Channel()
	require.NoError(b, err)
	require.NoError(b, channel.Confirm(false))
	return connection, channel
}

// benchRecord is a command as the orchestrator appends it.
func benchRecord() *outbox.Record {
	r := to(replies, 1)
	r.AggregateType, r.AggregateID = "room-reservation", uuid.NewString()
	r.Type, r.CorrelationID, r.ReplyTo = "payment.REQUEST", r.AggregateID, "saga.replies"
	r.Headers = map[string]string{
		protocol.HeaderSagaID:      r.AggregateID,
		protocol.HeaderSagaType:    r.AggregateType,
		protocol.HeaderSagaStep:    "payment",
		protocol.HeaderSagaOp:      "REQUEST",
		protocol.HeaderSagaAttempt: "1",
		protocol.HeaderSagaKey:     r.AggregateID + "/payment/REQUEST",
	}
	r.Payload = json.RawMessage(`{"payload": "` + strings.Repeat("x", 286) + `"}`)
	return r
}

// benchMessage is what this package makes of the record.
func benchMessage(r *outbox.Record) amqp.Publishing {
	headers := amqp.Table{
		"cloudEvents_specversion": "1.0",
		"cloudEvents_id":          r.ID.String(),
		"cloudEvents_source":      "/" + r.AggregateType + "/" + r.AggregateID,
		"cloudEvents_type":        r.Type,
	}
	for name, value := range r.Headers {
		headers[name] = value
	}
	return amqp.Publishing{
		Headers: headers, ContentType: "application/json", DeliveryMode: amqp.Persistent, CorrelationId: r.CorrelationID,
		ReplyTo: r.ReplyTo, MessageId: r.ID.String(), Timestamp: r.CreatedAt, Type: r.Type, AppId: "rabbit-test", Body: r.Payload,
	}
}

func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	var used syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}
