package reservationcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"go.example/saga/internal/cli"
	"go.example/saga/internal/sample/reservation"
	"go.example/saga/internal/sample/reservation/api"
)

const pollEvery = 250 * time.Millisecond

// output is how place and get show what they learn.
type output struct {
	wait    bool
	timeout time.Duration
	json    bool
}

func (o *output) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.wait, "wait", false, "wait until the reservation has SUCCEED or FAILED; exit code 4 if it FAILED")
	cmd.Flags().DurationVar(&o.timeout, "timeout", time.Minute, "how long to wait")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
}

// show prints the reservation, after waiting for its end where that is asked for.
func (o *output) show(cmd *cobra.Command, c client, r api.Body) error {
	var waited error
	if o.wait {
		r, waited = o.await(cmd.Context(), cmd.ErrOrStderr(), c, r)
	}
	if err := o.print(cmd.OutOrStdout(), r); err != nil {
		return err
	}
	if waited != nil {
		return waited
	}
	if o.wait && r.Status == reservation.Failed {
		return cli.Refusedf("reservation %s FAILED: %s", r.ReservationID, r.FailureReason)
	}
	return nil
}

// await looks again until the reservation has its end. An answer that does not
// come is not the end of waiting: the service may be restarting.
func (o *output) await(ctx context.Context, progress io.Writer, c client, r api.Body) (api.Body, error) {
	if r.Status != reservation.Pending {
		return r, nil
	}
	fmt.Fprintf(progress, "waiting for reservation %s ", r.ReservationID)
	defer fmt.Fprintln(progress)
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var trouble error
	for {
		select {
		case <-ctx.Done():
			err := fmt.Errorf("reservation %s is still %s: %w", r.ReservationID, r.Status, ctx.Err())
			return r, errors.Join(err, trouble)
		case <-tick.C:
		}
		fmt.Fprint(progress, ".")
		now, err := c.get(ctx, r.ReservationID)
		if ctx.Err() == nil {
			trouble = err
		}
		if err != nil {
			continue
		}
		if r = now; r.Status != reservation.Pending {
			return r, nil
		}
	}
}

func (o *output) print(w io.Writer, r api.Body) error {
	if o.json {
		return cli.JSON(w, r)
	}
	return cli.Table(w, []string{"RESERVATION", "HOTEL", "ROOM", "GUEST", "STATUS", "REASON"}, [][]string{{
		r.ReservationID, strconv.FormatInt(r.HotelID, 10), strconv.FormatInt(r.RoomID, 10),
		r.GuestID, string(r.Status), r.FailureReason,
	}})
}
