package rabbit

import (
	"encoding/json"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"go.example/saga/pkg/flow"
	"go.example/saga/pkg/outbox"
)

// What the tests need to see of the inside.

const (
	CloseTimeout = closeTimeout
	Linger       = linger
	DirectReply  = directReply
	MaxPending   = maxPending
)

func (p *Publisher) Unsettled() int  { return len(p.slots) }
func (p *Publisher) Returned() int   { return len(p.returned) }
func (p *Publisher) Unroutable() int { return len(p.unroutable) }

// Check is what a record has to pass before it touches the socket.
func (p *Publisher) Check(record *outbox.Record) error {
	_, err := p.builder.build(record)
	return err
}

// Recovers tells whether the library would reconnect by itself.
func (p *Publisher) Recovers() bool {
	return p.session.link.Config.Recovery != nil || p.session.link.IsRecoveryEnabled()
}

func (c *Consumer) Arrived() int { return len(c.arrived) }

// Loaded makes the consumer believe in so many deliveries a second.
func (c *Consumer) Loaded(perSecond int) {
	now := time.Now()
	c.load = flow.Meter{}
	c.load.Saw(0, now.Add(-time.Second))
	c.load.Saw(perSecond, now)
}

// Lingers says whether the next batch will linger.
func (c *Consumer) Lingers() bool { return c.lingers() }

// PublishUnchecked writes a message of any kind between those of Publish.
func (p *Publisher) PublishUnchecked(key string, immediate bool, m amqp.Publishing) error {
	return p.session.channel.Publish("", key, true, immediate, m)
}

// NewSocket is what a session does with its connection.
func NewSocket(conn net.Conn, writeTimeout time.Duration) net.Conn {
	return newSocket(conn, writeTimeout)
}

// EncodeOriginal is what inbox_quarantine keeps of a message.
func EncodeOriginal(p amqp.Publishing) (properties, headers json.RawMessage, err error) {
	return (*original)(&p).Encode()
}

// DecodeOriginal is the message that is made of it.
func DecodeOriginal(properties, headers json.RawMessage, body []byte) (amqp.Publishing, error) {
	o, err := decodeOriginal(properties, headers, body)
	if err != nil {
		return amqp.Publishing{}, err
	}
	return amqp.Publishing(*o), nil
}

// Hasty makes the pauses of a configuration's sessions short, but for those given.
func Hasty(cfg Config, round, nudge time.Duration) Config {
	cfg.pace = pace{headStart: 100 * time.Millisecond, round: round, nudge: nudge, answer: 300 * time.Millisecond, silence: 100 * time.Millisecond}
	return cfg
}

// Round is the standard time between two looks at what is beside.
const Round = time.Minute

// Commands are those that make the topology.
func Commands(t Topology, vhost string) (commands []string) {
	for _, o := range t.objects(vhost, everything) {
		commands = append(commands, o.command)
	}
	return commands
}

// Forgotten has the broker forget the consumer, without telling the session.
func (c *Consumer) Forgotten() error { return c.session.channel.Cancel(c.cfg.Name, false) }

// Renewals are how often a session is opened anew that stands in and gets nothing.
var Renewals = len(renewals)

// Impatient makes the silences short after which a configuration's consumers act.
func Impatient(cfg Config) Config {
	cfg.pace = standard
	cfg.pace.silence = 150 * time.Millisecond
	return cfg
}
