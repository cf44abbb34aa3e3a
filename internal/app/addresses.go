package app

import (
	"context"
	"errors"
	"fmt"

	"go.example/saga/internal/config"
	"go.example/saga/pkg/rabbit"
	sagasql "go.example/saga/sql"
)

// CheckSchema judges the name of the tables' schema.
func CheckSchema(schema string) error {
	if err := sagasql.CheckSchema(schema); err != nil {
		return fmt.Errorf("DATABASE_SCHEMA: %w", err)
	}
	return nil
}

// Broker is how a client that is called name reaches the broker, whose address and
// certificates are read again at each dial.
func Broker(b config.Broker, name string) rabbit.Config {
	return rabbit.Config{
		Name: name,
		URL: func(context.Context) (string, error) {
			text, err := b.BrokerAddress()
			return text.Reveal(), err
		},
		TLS:  rabbit.TLSFiles(b.AMQPCAFile, b.AMQPCertFile, b.AMQPKeyFile),
		Lost: &rabbit.Lost{},
	}
}

// CheckBroker judges the broker's address and certificates, if there are any, as they are at
// the start. The error names the variable and holds nothing of the address.
func CheckBroker(b config.Broker) error {
	if (b.AMQPCertFile == "") != (b.AMQPKeyFile == "") {
		return errors.New("AMQP_CERT_FILE and AMQP_KEY_FILE come together: one of them is not set")
	}
	if b.RequireBroker() != nil {
		return nil // a command that needs it says so
	}
	text, err := b.BrokerAddress()
	if err != nil {
		return err
	}
	if err := rabbit.CheckURL(text.Reveal()); err != nil {
		return fmt.Errorf("AMQP_URL: %w", err)
	}
	if secure := rabbit.TLSFiles(b.AMQPCAFile, b.AMQPCertFile, b.AMQPKeyFile); secure != nil {
		if _, err := secure(); err != nil {
			return fmt.Errorf("AMQP_CA_FILE, AMQP_CERT_FILE, AMQP_KEY_FILE: %w", err)
		}
	}
	return nil
}
