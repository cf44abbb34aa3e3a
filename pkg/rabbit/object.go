package rabbit

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"go.example/saga/pkg/inbox"
)

// object is something of a topology: an exchange, a queue or a binding.
type object struct {
	name    string // for people, as "queue saga.unheard"
	declare func(*amqp.Channel) error
	// look is a passive declaration: it makes nothing, and RabbitMQ asks for no permission.
	// A binding has none.
	look func(*amqp.Channel) error
	// owner is the name of the queue that a binding belongs to.
	owner string
	// command makes it, in an administrator's shell.
	command string
	// drift says what to do where it exists with other arguments.
	drift func(error) error
}

func (e Exchange) object(vhost string) object {
	return object{
		name: "exchange " + e.Name,
		declare: func(c *amqp.Channel) error {
			return c.ExchangeDeclare(e.Name, e.Kind, true, false, false, false, e.arguments())
		},
		look: func(c *amqp.Channel) error {
			return c.ExchangeDeclarePassive(e.Name, e.Kind, true, false, false, false, nil)
		},
		command: admin(vhost, "exchange", "name="+quote(e.Name), "type="+e.Kind, "durable=true", "arguments="+quoteTable(e.arguments())),
		drift: func(err error) error {
			return fmt.Errorf("exchange %q: %w: %w; show it with: rabbitmqctl list_exchanges -p %s name type durable arguments",
				e.Name, ErrDrift, err, quote(vhost))
		},
	}
}

// object is the queue without its bindings; the command makes these, too.
func (q Queue) object(vhost string) object {
	o := object{
		name: "queue " + q.Name,
		declare: func(c *amqp.Channel) error {
			_, err := c.QueueDeclare(q.Name, true, false, false, false, q.arguments())
			return err
		},
		look: func(c *amqp.Channel) error {
			_, err := c.QueueDeclarePassive(q.Name, true, false, false, false, nil)
			return err
		},
		command: admin(vhost, "queue", "name="+quote(q.Name), "durable=true", "arguments="+quoteTable(q.arguments())),
		drift:   func(err error) error { return q.driftError(vhost, err) },
	}
	for _, b := range q.bindings(vhost) {
		o.command += " && " + b.command
	}
	return o
}

func (q Queue) bindings(vhost string) []object {
	all := make([]object, len(q.Bindings))
	for i, b := range q.Bindings {
		all[i] = object{
			owner: "queue " + q.Name,
			name:  fmt.Sprintf("binding of queue %s to exchange %s with key %q", q.Name, b.Exchange, b.Key),
			declare: func(c *amqp.Channel) error {
				return c.QueueBind(q.Name, b.Key, b.Exchange, false, nil)
			},
			command: admin(vhost, "binding", "source="+quote(b.Exchange), "destination_type=queue",
				"destination="+quote(q.Name), "routing_key="+quote(b.Key)),
		}
	}
	return all
}

// driftError says whose the queue is where its owner differs. The broker's reply names the
// argument and both values.
func (q Queue) driftError(vhost string, err error) error {
	if owner := otherOwner(err); owner != "" {
		return fmt.Errorf("queue %q: %w: its owner's mark is %s, and this service's is %s: two services have one name. "+
			"Name one of them otherwise when its tables are migrated. If the other database is lost and this one takes its place, "+
			"take its mark over: UPDATE saga_service SET id = '%s'", q.Name, inbox.ErrOwned, owner, q.Owner, owner)
	}
	return fmt.Errorf("queue %q: %w: %w; show it with: rabbitmqctl list_queues -p %[4]s name type durable arguments messages; "+
		"once it is empty, remove it with: rabbitmqctl delete_queue -p %[4]s --if-empty %[5]s",
		q.Name, ErrDrift, err, quote(vhost), quote(q.Name))
}

// otherOwner is the owner's mark of a queue of which a declaration was refused for its
// owner; empty where it was refused for another reason.
func otherOwner(err error) string {
	var reply *amqp.Error
	if !errors.As(err, &reply) || !strings.Contains(reply.Reason, "'"+ownerArgument+"'") {
		return ""
	}
	_, current, _ := strings.Cut(reply.Reason, "but current")
	return ownerMark.FindString(current)
}

var ownerMark = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// admin is a command of RabbitMQ's administrators.
func admin(vhost, kind string, arguments ...string) string {
	return "rabbitmqadmin --vhost=" + quote(vhost) + " declare " + kind + " " + strings.Join(arguments, " ")
}

// quote is one word for a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func quoteTable(table amqp.Table) string {
	if table == nil {
		return "{}"
	}
	text, err := json.Marshal(table) // of strings and numbers
	if err != nil {
		panic(err)
	}
	return quote(string(text))
}

// asker asks the broker one thing after the other. The broker closes the channel of what it
// refuses; the next question then has another.
type asker struct {
	link    *link
	channel *amqp.Channel
}

func (a *asker) ask(call func(*amqp.Channel) error) (err error) {
	if a.channel == nil || a.channel.IsClosed() {
		if a.channel, err = a.link.Channel(); err != nil {
			return fmt.Errorf("open a channel: %w", err)
		}
	}
	return call(a.channel)
}

func (a *asker) close() error {
	if a.channel == nil || a.channel.IsClosed() {
		return nil
	}
	return a.channel.Close()
}

// ensure declares what may be declared, and is content with what exists where it may not.
// It says whether the declaration was refused.
func (a *asker) ensure(o object) (refused bool, err error) {
	err = a.ask(o.declare)
	if err == nil {
		return false, nil
	}
	if repliedWith(err, amqp.PreconditionFailed) && o.drift != nil {
		return false, o.drift(err)
	}
	if !repliedWith(err, amqp.AccessRefused) || o.look == nil {
		return repliedWith(err, amqp.AccessRefused), fmt.Errorf("declare %s: %w", o.name, err)
	}
	return true, a.lookAt(o, err)
}

// lookAt holds that what was refused is there.
func (a *asker) lookAt(o object, refusal error) error {
	err := a.ask(o.look)
	switch {
	case err == nil:
		return nil
	case repliedWith(err, amqp.NotFound):
		return fmt.Errorf("%s %w: %w; an administrator makes it with: %s", o.name, ErrMissing, refusal, o.command)
	}
	return fmt.Errorf("look at %s: %w", o.name, err)
}

// repliedWith says whether the broker has answered with the code.
func repliedWith(err error, code int) bool {
	var reply *amqp.Error
	return errors.As(err, &reply) && reply.Server && reply.Code == code
}
