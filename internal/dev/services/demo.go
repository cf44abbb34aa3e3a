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

// TwoPhasePrefix starts the names of the databases in which two-phase commit is shown.
const TwoPhasePrefix = Prefix + "2pc_"

// SharedPrefix starts the names of the database and of the virtual host of a demo whose
// services share one database: these have marks of queues of their own.
const SharedPrefix = Prefix + "shared_"

// TestPrefix starts the name of what tests make.
const TestPrefix = Prefix + "test_"

// made tells whether the project makes databases or virtual hosts of this name.
func made(name string) bool {
	return name == DemoVhost || slices.Contains(Sample.Databases, name) ||
		slices.ContainsFunc([]string{TestPrefix, TwoPhasePrefix, SharedPrefix}, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// Place is where daemons work together.
type Place struct {
	Vhost     string
	Databases []string
}

// Sample is the place of the sample.
var Sample = Place{DemoVhost, []string{ReservationDatabase, HotelDatabase, PaymentDatabase}}

// Shared is the place of a demo whose services share one database in that form.
func Shared(form string) Place { return Place{SharedPrefix + form, []string{SharedPrefix + form}} }

// Prepare creates the sample's databases and virtual host where they are missing.
func (s Set) Prepare(ctx context.Context, report Report) (borrowed bool, err error) {
	return s.PrepareIn(ctx, report, Sample)
}

// PrepareIn creates the databases and the virtual host of a place where they are missing.
// What bears their name and not our [Mark] is a [Foreign] error, and then nothing is
// changed.
//
// A virtual host is borrowed when it is not known to be the project's own: the one
// that the user names in the path of AMQP_URL, or a saga_demo on a broker that
// nobody here administers. Who uses it leaves nothing there.
func (s Set) PrepareIn(ctx context.Context, report Report, place Place) (borrowed bool, err error) {
	ours, foreign, err := s.Postgres.databases(ctx)
	if err != nil {
		return false, err
	}
	for _, name := range place.Databases {
		if slices.Contains(foreign, name) {
			return false, foreignDatabase(name)
		}
	}
	borrowed, err = s.Broker.prepare(ctx, report, place)
	if err != nil {
		return borrowed, err
	}
	for _, name := range place.Databases {
		if slices.Contains(ours, name) {
			continue
		}
		report("creating database %s", name)
		if err := s.Postgres.CreateDatabase(ctx, name, ""); err != nil {
			return borrowed, err
		}
	}
	return borrowed, nil
}

// prepare sees to the virtual host of [Broker.In].
func (b Broker) prepare(ctx context.Context, report Report, place Place) (borrowed bool, err error) {
	if b.lent() {
		report("using the virtual host %s, which the broker's address names", b.named())
		return true, nil
	}
	_, err = b.ChangeVhosts(ctx, []string{place.Vhost}, nil)
	var unable *UnableError
	if !errors.As(err, &unable) {
		return false, err
	}
	if _, missing := ping(ctx, b.In(place)); missing != nil {
		return false, fmt.Errorf(`%w
  or make a virtual host by hand and name it: AMQP_URL=amqp://USER:PASSWORD@HOST:PORT/VHOST`, err)
	}
	report("using the virtual host %s; whose it is cannot be seen from here, so nothing is left in it", place.Vhost)
	return true, nil
}

// lent tells whether the URL names a virtual host of the user's for us to use.
func (b Broker) lent() bool { return b.named() != "" && b.named() != DemoVhost }

// Demo is the URL of the virtual host that the sample uses.
func (b Broker) Demo() string { return b.In(Sample) }

// In is the URL of the virtual host of a place: the one that the broker's URL names, or the
// place's own. It exists once [Set.PrepareIn] has succeeded.
func (b Broker) In(place Place) string {
	if b.lent() || b.named() == place.Vhost {
		return b.URL
	}
	return b.Vhost(place.Vhost)
}

// Drop drops the sample's databases and virtual host and those of tests, if they
// bear our [Mark]. While somebody is in one of the databases, everything stays, and
// also when nobody here administers the broker; unless the user has lent a virtual
// host there, because then none was made.
func (s Set) Drop(ctx context.Context, report Report) error {
	databases, err := s.Postgres.Databases(ctx)
	if err != nil {
		return err
	}
	vhosts, err := s.Broker.Vhosts(ctx)
	var unable *UnableError
	if errors.As(err, &unable) && s.Broker.lent() {
		report("%v", err)
	} else if err != nil {
		return err
	}
	databases = slices.DeleteFunc(databases, func(name string) bool { return !made(name) })
	vhosts = slices.DeleteFunc(vhosts, func(name string) bool { return !made(name) })
	busy, err := s.Postgres.busy(ctx, databases)
	if err == nil && len(busy) == 0 {
		report("dropping databases: %s", list(databases))
		busy, err = s.Postgres.DropIdleDatabases(ctx, databases...)
	}
	if err != nil {
		return err
	}
	if len(busy) > 0 {
		return fmt.Errorf("in use, by a demo, daemons, tests or somebody's psql: %s; end those and run this again", list(busy))
	}
	report("deleting virtual hosts: %s", list(vhosts))
	if len(vhosts) == 0 {
		return nil
	}
	_, err = s.Broker.ChangeVhosts(ctx, nil, vhosts)
	return err
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
func (s Set) Environment() []string {
	reservation, hotel, payment := s.Postgres.Database(ReservationDatabase), s.Postgres.Database(HotelDatabase), s.Postgres.Database(PaymentDatabase)
	return []string{
		"DATABASE_URL=" + s.Postgres.URL,
		"AMQP_URL=" + s.Broker.Demo(),
		"RESERVATION_DATABASE_URL=" + reservation,
		"HOTEL_DATABASE_URL=" + hotel,
		"PAYMENT_DATABASE_URL=" + payment,
		fmt.Sprintf("DATABASE_URLS=%s %s %s", reservation, hotel, payment),
	}
}
