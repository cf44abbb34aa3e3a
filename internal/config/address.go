package config

import (
	"fmt"

	"go.example/saga/internal/address"
)

// Database is the address of a program's database.
type Database struct {
	DatabaseURL Secret `env:"DATABASE_URL"`
	// DatabaseURLFile holds it instead, and is read again for each connection.
	DatabaseURLFile string `env:"DATABASE_URL_FILE"`
}

// DatabaseAddress is where the database is now.
func (d *Database) DatabaseAddress() (Secret, error) {
	return ReadSecret("DATABASE_URL", d.DatabaseURL, d.DatabaseURLFile)
}

// CheckDatabase judges the address as it is at the start, which must be there. An error names the
// variable and holds nothing of the address.
func (d *Database) CheckDatabase() error {
	if d.DatabaseURL == "" && d.DatabaseURLFile == "" {
		return Required("the database", "DATABASE_URL", "postgres://user@127.0.0.1:5432/saga_reservation")
	}
	text, err := d.DatabaseAddress()
	if err != nil {
		return err
	}
	if _, err = address.ParseDatabase(text.Reveal()); err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	return nil
}

// Broker is the address of a program's broker and what TLS needs there.
type Broker struct {
	// AMQPURL has one URL or several, of which the first that answers is used.
	AMQPURL Secret `env:"AMQP_URL"`
	// AMQPURLFile holds it instead, and is read again for each connection.
	AMQPURLFile string `env:"AMQP_URL_FILE"`
	// AMQPCAFile, AMQPCertFile and AMQPKeyFile are PEM files for amqps URLs: who signs
	// the broker's certificate where the system does not know, and this client's own. They
	// are read again for each connection.
	AMQPCAFile   string `env:"AMQP_CA_FILE"`
	AMQPCertFile string `env:"AMQP_CERT_FILE"`
	AMQPKeyFile  string `env:"AMQP_KEY_FILE"`
}

// BrokerAddress is where the broker is now.
func (b *Broker) BrokerAddress() (Secret, error) {
	return ReadSecret("AMQP_URL", b.AMQPURL, b.AMQPURLFile)
}

// RequireBroker is nil if there is an address.
func (b *Broker) RequireBroker() error {
	if b.AMQPURL == "" && b.AMQPURLFile == "" {
		return Required("the broker", "AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")
	}
	return nil
}
