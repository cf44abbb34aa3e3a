package contender

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"go.example/saga/bench/saga/internal/booking"
)

// openFloor carries out orders with plain transactions, one after the other: no
// broker, no state of a saga, no way to go on after a crash.
func openFloor(ctx context.Context, job Job) (place, func(), error) {
	p, err := connect(ctx, job.Databases)
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, o booking.Order) (end, error) {
		return atOnce, p.carry(ctx, o)
	}, p.close, nil
}

// atOnce is the end of an order that has ended when it is accepted: there is nobody
// but its client who could go on with it.
func atOnce(context.Context) error { return nil }

func (p pools) carry(ctx context.Context, o booking.Order) error {
	j, err := booking.NewJob(o)
	if err != nil {
		return err
	}
	if err := inTx(ctx, p.reservation, func(tx pgx.Tx) error { return j.Place(ctx, booking.In(tx)) }); err != nil {
		return err
	}
	if err := inTx(ctx, p.hotel, func(tx pgx.Tx) error { return j.Book(ctx, tx) }); err != nil {
		return err
	}
	if err := inTx(ctx, p.payment, func(tx pgx.Tx) error { return j.Charge(ctx, tx) }); err != nil {
		return err
	}
	if o.Declined() {
		if err := inTx(ctx, p.hotel, func(tx pgx.Tx) error { return j.Release(ctx, tx) }); err != nil {
			return err
		}
	}
	return inTx(ctx, p.reservation, func(tx pgx.Tx) error { return j.Finish(ctx, booking.In(tx)) })
}

func inTx(ctx context.Context, pool *pgxpool.Pool, work func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, pool, work)
}
