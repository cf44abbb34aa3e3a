// Package booking is the work that is measured: the hotel reservation of the
// sample in three databases, by the sample's own code, or by its statements for one
// order at a time. Whoever carries out the orders, [Compare] says whether the databases
// agree in the end.
package booking

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	sagasql "go.example/saga/sql"
)

// Databases are the three services' own, as URLs.
type Databases struct{ Reservation, Hotel, Payment string }

// All are the three.
func (d Databases) All() []string { return []string{d.Reservation, d.Hotel, d.Payment} }

// Make makes the three databases, each by create, with the tables of the released
// programs: all contenders write to the same ones.
func Make(ctx context.Context, create func(context.Context) (string, error)) (d Databases, err error) {
	for _, url := range []*string{&d.Reservation, &d.Hotel, &d.Payment} {
		if *url, err = create(ctx); err != nil {
			return d, err
		}
	}
	group, migrating := errgroup.WithContext(ctx)
	for _, service := range []struct {
		name, url string
		lines     []sagasql.Line
	}{
		{"reservation", d.Reservation, []sagasql.Line{sagasql.Outbox, sagasql.Saga, sagasql.Inbox, sagasql.Reservation}},
		{"hotel", d.Hotel, []sagasql.Line{sagasql.Outbox, sagasql.Inbox, sagasql.Participant, sagasql.Hotel}},
		{"payment", d.Payment, []sagasql.Line{sagasql.Outbox, sagasql.Inbox, sagasql.Participant, sagasql.Payment}},
	} {
		group.Go(func() error {
			if err := sagasql.Up(migrating, service.url, "", service.lines...); err != nil {
				return err
			}
			return with(migrating, service.url, func(conn *pgx.Conn) error {
				_, err := sagasql.NameService(migrating, conn, "", service.name)
				return err
			})
		})
	}
	if err := group.Wait(); err != nil {
		return d, fmt.Errorf("make the tables of the three services: %w", err)
	}
	return d, d.open(ctx)
}

// open opens the hotel's rooms.
func (d Databases) open(ctx context.Context) error {
	return with(ctx, d.Hotel, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `INSERT INTO public.room (hotel_id, room_id, open)
			SELECT $1::bigint, n, true FROM generate_series(1, $2::bigint) AS n`, hotelID, rooms)
		return err
	})
}

// Calm does what a server does by itself some time after tables were filled.
func (d Databases) Calm(ctx context.Context) error {
	for _, url := range d.All() {
		err := with(ctx, url, func(conn *pgx.Conn) error {
			_, analyze := conn.Exec(ctx, "ANALYZE")
			_, checkpoint := conn.Exec(ctx, "CHECKPOINT")
			return errors.Join(analyze, checkpoint)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// with does the work on a connection of its own.
func with(ctx context.Context, url string, work func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect to a service's database: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return work(conn)
}
