package contender

import (
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// confirming opens a channel with publisher confirms on a connection of its own.
// The function closes both.
func confirming(url string) (*amqp.Channel, func(), error) {
	conn, err := amqp.Dial(url)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to the broker: %w", err)
	}
	channel, err := conn.Channel()
	if err == nil {
		err = channel.Confirm(false)
	}
	if err != nil {
		_ = conn.Close()
		return nil, nil, fmt.Errorf("open a channel with confirms: %w", err)
	}
	return channel, func() { _ = conn.Close() }, nil
}

var errNacked = errors.New("the broker did not take a message")

// send publishes as all contenders do: persistent, and mandatory. The caller
// waits for the confirmation.
func send(channel *amqp.Channel, queue string, p amqp.Publishing) (*amqp.DeferredConfirmation, error) {
	confirmation, err := channel.PublishWithDeferredConfirm("", queue, true, false, p)
	if err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	return confirmation, nil
}
