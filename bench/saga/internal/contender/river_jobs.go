package contender

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"go.example/saga/bench/saga/internal/booking"
)

func (c *chain) place(ctx context.Context, o booking.Order) (end, error) {
	j, err := booking.NewJob(o)
	if err != nil {
		return nil, err
	}
	err = inTx(ctx, c.reservation, func(tx pgx.Tx) error {
		if err := j.Place(ctx, booking.In(tx)); err != nil {
			return err
		}
		return next(ctx, c.atReservation, tx, bookArgs{j})
	})
	if err != nil {
		return nil, err
	}
	return c.endings.of(j.ID.String()), nil
}

func (c *chain) book(ctx context.Context, job *river.Job[bookArgs]) error {
	return inTx(ctx, c.hotel, func(tx pgx.Tx) error {
		if err := job.Args.Book(ctx, tx); err != nil {
			return err
		}
		return next(ctx, c.atHotel, tx, chargeArgs(job.Args))
	})
}

func (c *chain) charge(ctx context.Context, job *river.Job[chargeArgs]) error {
	return inTx(ctx, c.payment, func(tx pgx.Tx) error {
		if err := job.Args.Charge(ctx, tx); err != nil {
			return err
		}
		if job.Args.Order.Declined() {
			return next(ctx, c.atPayment, tx, releaseArgs(job.Args))
		}
		return next(ctx, c.atPayment, tx, finishArgs(job.Args))
	})
}

func (c *chain) release(ctx context.Context, job *river.Job[releaseArgs]) error {
	return inTx(ctx, c.hotel, func(tx pgx.Tx) error {
		if err := job.Args.Release(ctx, tx); err != nil {
			return err
		}
		return next(ctx, c.atHotel, tx, finishArgs(job.Args))
	})
}

func (c *chain) finish(ctx context.Context, job *river.Job[finishArgs]) error {
	err := inTx(ctx, c.reservation, func(tx pgx.Tx) error { return job.Args.Finish(ctx, booking.In(tx)) })
	if err == nil {
		c.endings.end(job.Args.ID.String())
	}
	return err
}

// next inserts the next job with the work before it.
func next(ctx context.Context, client *river.Client[pgx.Tx], tx pgx.Tx, args river.JobArgs) error {
	_, err := client.InsertTx(ctx, tx, args, nil)
	return err
}
