package services

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The databases and the virtual host of the sample.
const (
	ReservationDatabase = Prefix + "reservation"
	HotelDatabase       = Prefix + "hotel"
	PaymentDatabase     = Prefix + "payment"
	DemoVhost           = Prefix + "demo"
)

// TestPrefix starts the name of what tests make.
const TestPrefix = Prefix + "test_"

// made tells whether the project makes databases or virtual hosts of this name.
// Another saga_* may be somebody's own.
func made(name string) bool {
	return name == DemoVhost || slices.Contains(demoDatabases, name) || strings.HasPrefix(name, TestPrefix)
}

var demoDatabases = []string{ReservationDatabase, HotelDatabase, PaymentDatabase}

// Prepare creates the sample's databases and virtual host where they are missing.
func (s Set) Prepare(ctx context.Context, report Report) error {
	present, err := s.Postgres.Databases(ctx)
	if err != nil {
		return err
	}
	for _, name := range demoDatabases {
		if slices.Contains(present, name) {
			continue
		}
		report("creating database %s", name)
		if err := s.Postgres.CreateDatabase(ctx, name, ""); err != nil {
			return err
		}
	}
	if _, err := ping(ctx, s.Broker.Vhost(DemoVhost)); err == nil {
		return nil
	}
	report("creating virtual host %s", DemoVhost)
	if _, err := s.Broker.ChangeVhosts(ctx, []string{DemoVhost}, nil); err != nil {
		report("%v", err)
		report("using the virtual host in %s instead", Redact(s.Broker.URL))
	}
	return nil
}

// DemoBroker is the URL of the sample's virtual host, or of the one that the
// broker was found with where another could not be created.
func (s Set) DemoBroker(ctx context.Context) string {
	if _, err := ping(ctx, s.Broker.Vhost(DemoVhost)); err != nil {
		return s.Broker.URL
	}
	return s.Broker.Vhost(DemoVhost)
}

// Drop drops the sample's databases and virtual host and those of tests, running
// tests included.
func (s Set) Drop(ctx context.Context, report Report) error {
	databases, err := s.Postgres.Databases(ctx)
	if err == nil {
		databases = slices.DeleteFunc(databases, func(name string) bool { return !made(name) })
		report("dropping databases: %s", list(databases))
		err = s.Postgres.DropDatabases(ctx, databases...)
	}
	vhosts, vhostErr := s.Broker.Vhosts(ctx)
	if vhostErr == nil {
		vhosts = slices.DeleteFunc(vhosts, func(name string) bool { return !made(name) })
		report("deleting virtual hosts: %s", list(vhosts))
		_, vhostErr = s.Broker.ChangeVhosts(ctx, nil, vhosts)
	}
	return errors.Join(err, vhostErr)
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, " ")
}

// Down stops what Up started, and nothing else.
func Down(ctx context.Context, report Report) error {
	dir, err := Root()
	if err != nil {
		return err
	}
	unlock, err := lock(dir, report)
	if err != nil {
		return err
	}
	defer unlock()
	return errors.Join(
		(&private{dir: dir, report: report}).down(ctx),
		(&compose{dir: dir, report: report}).down(ctx))
}

// Environment holds the variables that the sample's daemons read, as NAME=value:
// DATABASE_URL is the server's own database, and each service has another.
func (s Set) Environment(ctx context.Context) []string {
	reservation, hotel, payment := s.Postgres.Database(ReservationDatabase), s.Postgres.Database(HotelDatabase), s.Postgres.Database(PaymentDatabase)
	return []string{
		"DATABASE_URL=" + s.Postgres.URL,
		"AMQP_URL=" + s.DemoBroker(ctx),
		"RESERVATION_DATABASE_URL=" + reservation,
		"HOTEL_DATABASE_URL=" + hotel,
		"PAYMENT_DATABASE_URL=" + payment,
		fmt.Sprintf("DATABASE_URLS=%s %s %s", reservation, hotel, payment),
	}
}
