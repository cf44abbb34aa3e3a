package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
)

// cashier is a participant that knows of this project only what docs/protocol.md
// says: it uses an AMQP client and nothing else. It charges in memory, so for it
// one lock is what a transaction is elsewhere.
type cashier struct {
	connection *amqp.Connection
	channel    *amqp.Channel
	done       chan error

	mu      sync.Mutex
	answers map[string]cashAnswer // by cloudEvents_sagakey
	charged map[string]int64      // by saga: what is kept of the guest's money
	seen    []string              // "<type>" of each command, in order
}

type cashAnswer struct {
	outcome     string
	contentType string
	body        []byte
}

const (
	cashDestination = "cash-desk"
	cashQueue       = "saga.command." + cashDestination
	cashDead        = "saga.dead." + cashDestination
	// cashOwner is the mark of its queue: an id that nobody else has.
	cashOwner   = "5b1e7a52-0d4c-4f5e-9a57-3c1f0f6a9c11"
	consumerTag = "cashier"
)

// openCashier declares what the participant needs and starts to work.
func openCashier(url string) (*cashier, error) {
	connection, err := amqp.Dial(url)
	if err != nil {
		return nil, err
	}
	c := &cashier{connection: connection, done: make(chan error, 1), answers: map[string]cashAnswer{}, charged: map[string]int64{}}
	if err := c.open(); err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	return c, nil
}

func (c *cashier) open() (err error) {
	if c.channel, err = c.connection.Channel(); err != nil {
		return err
	}
	if err := c.declare(); err != nil {
		return err
	}
	if err := c.channel.Confirm(false); err != nil {
		return err
	}
	deliveries, err := c.channel.Consume(cashQueue, consumerTag, false, false, false, false, nil)
	if err != nil {
		return err
	}
	go func() { c.done <- c.work(deliveries) }()
	return nil
}

func (c *cashier) declare() error {
	for name, kind := range map[string]string{"saga.commands": "topic", "saga.dead": "direct"} {
		if err := c.channel.ExchangeDeclare(name, kind, true, false, false, false, nil); err != nil {
			return err
		}
	}
	for name, arguments := range map[string]amqp.Table{
		cashDead: {"x-queue-type": "quorum", "x-delivery-limit": 1 << 30},
		cashQueue: {
			"x-queue-type": "quorum", "x-delivery-limit": 100_000, "x-overflow": "reject-publish",
			"x-dead-letter-exchange": "saga.dead", "x-dead-letter-strategy": "at-least-once",
			"x-dead-letter-routing-key": cashOwner,
		},
	} {
		if _, err := c.channel.QueueDeclare(name, true, false, false, false, arguments); err != nil {
			return err
		}
	}
	if err := c.channel.QueueBind(cashDead, cashOwner, "saga.dead", false, nil); err != nil {
		return err
	}
	return c.channel.QueueBind(cashQueue, cashDestination, "saga.commands", false, nil)
}

// work ends when the session does.
func (c *cashier) work(deliveries <-chan amqp.Delivery) error {
	for d := range deliveries {
		answer, err := c.decide(d)
		if err != nil {
			return err
		}
		// Twice, as a crash before the acknowledgement would have it.
		for range 2 {
			if err := c.reply(d, answer); err != nil {
				return err
			}
		}
		if err := d.Ack(false); err != nil {
			return err
		}
	}
	return nil
}

// decide is the barrier.
func (c *cashier) decide(d amqp.Delivery) (cashAnswer, error) {
	id, _ := d.Headers["cloudEvents_sagaid"].(string)
	step, _ := d.Headers["cloudEvents_sagastep"].(string)
	operation, _ := d.Headers["cloudEvents_sagaop"].(string)
	key, _ := d.Headers["cloudEvents_sagakey"].(string)
	requestKey := id + "/" + step + "/REQUEST"

	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, d.Type)
	if answer, known := c.answers[key]; known {
		return answer, nil
	}
	var answer cashAnswer
	switch operation {
	case "REQUEST":
		var err error
		if answer, err = c.charge(id, d.Body); err != nil {
			return cashAnswer{}, err
		}
	case "CANCEL":
		if _, known := c.answers[requestKey]; !known {
			c.answers[requestKey] = no("urn:problem:cashier:cancelled", "Cancelled before it arrived")
		}
		delete(c.charged, id)
		answer = cashAnswer{"compensated", "application/json", []byte("{}")}
	default:
		return cashAnswer{}, fmt.Errorf("the operation is %q", operation)
	}
	c.answers[key] = answer
	return answer, nil
}

func (c *cashier) charge(id string, body []byte) (cashAnswer, error) {
	var command struct {
		Payload struct {
			PaymentDue int64  `json:"paymentDue"`
			CardLast4  string `json:"cardLast4"`
		} `json:"payload"`
	}
	if err := json.Unmarshal(body, &command); err != nil {
		return cashAnswer{}, err
	}
	if command.Payload.CardLast4 == "9999" {
		return no("urn:problem:cashier:declined", "The cashier takes no such card"), nil
	}
	c.charged[id] = command.Payload.PaymentDue
	output, err := json.Marshal(map[string]any{"receipt": uuid.NewString(), "ticks": json.Number("9007199254740993")})
	return cashAnswer{"succeeded", "application/json", output}, err
}

func no(kind, title string) cashAnswer {
	return cashAnswer{"failed", "application/problem+json", fmt.Appendf(nil, `{"type":%q,"title":%q}`, kind, title)}
}

func (c *cashier) reply(d amqp.Delivery, answer cashAnswer) error {
	headers := maps.Clone(d.Headers)
	maps.DeleteFunc(headers, func(name string, _ any) bool { return !strings.HasPrefix(name, "cloudEvents_saga") })
	headers["cloudEvents_sagaoutcome"] = answer.outcome
	command, err := uuid.Parse(d.MessageId)
	if err != nil {
		return err
	}
	confirm, err := c.channel.PublishWithDeferredConfirm("", d.ReplyTo, true, false, amqp.Publishing{
		MessageId: uuid.NewSHA1(command, []byte("reply/"+answer.outcome)).String(), DeliveryMode: amqp.Persistent,
		ContentType: answer.contentType, Headers: headers, Body: answer.body,
	})
	if err != nil {
		return err
	}
	if stored, err := confirm.WaitContext(context.Background()); err != nil || !stored {
		return fmt.Errorf("the reply was not stored: %w", err)
	}
	return nil
}

// close ends the work and tells what went wrong with it.
func (c *cashier) close() error {
	// Without its consumer the work ends after the command in hand.
	return errors.Join(c.channel.Cancel(consumerTag, false), <-c.done, c.connection.Close())
}

// books are the sagas whose guests have paid, and the commands that came.
func (c *cashier) books() (charged map[string]int64, seen []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.charged), append([]string(nil), c.seen...)
}
