package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"go.example/saga/internal/dev/services"
	"go.example/saga/internal/dev/stack"
)

const allParts = "?expand=booking,payment,saga"

// compose shows API composition: one answer of what three services know, one that lacks the
// part of a service that is away, and the first one again.
func (env environment) compose(ctx context.Context, out io.Writer) (err error) {
	report := reporter(out)
	defer func() { err = errors.Join(err, env.giveBack(ctx, report)) }()
	report("starting relay, orchestrator, hotel, payment and reservation (logs in %s)", env.stack.LogDir)
	daemons, err := stack.Start(ctx, env.stack)
	if err != nil {
		return env.notStarted(err)
	}
	defer func() {
		report("stopping the daemons")
		err = errors.Join(err, daemons.Stop())
	}()
	ada := guests()[0]
	if err := env.placeOne(ctx, ada, daemons.URL()); err != nil {
		return err
	}
	c := composition{out: out, url: daemons.URL() + "/api/v1/reservations/" + ada.id + allParts}
	whole, err := c.settled(ctx)
	if err != nil {
		return err
	}
	c.tell("The reservation, with what the hotel, the payment service and its own saga know:", whole)

	report("stopping the hotel")
	if err := daemons.Halt("hotel"); err != nil {
		return err
	}
	lacking, err := c.ask(ctx)
	if err != nil {
		return err
	}
	c.tell("The same while the hotel is away. The answer names what it lacks, and has no ETag:", lacking)
	if len(lacking.body.Missing) != 1 || lacking.body.Missing[0].Part != "booking" || lacking.tag != "" {
		return errors.New("expected the booking, and nothing else, to be missing")
	}

	report("starting the hotel again")
	if err := daemons.Restart(ctx, "hotel"); err != nil {
		return err
	}
	again, err := c.settled(ctx)
	if err != nil {
		return err
	}
	if again.tag != whole.tag {
		return fmt.Errorf("nothing has changed, but the ETag has: from %s to %s", whole.tag, again.tag)
	}
	if err := c.unchanged(ctx, again.tag); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nThe hotel is back and nothing has changed: the ETag is the same. Asked with it, the answer is 304 and empty:\n")
	fmt.Fprintf(out, "  curl -i -H 'If-None-Match: %s' '%s'\n", again.tag, c.url)
	return nil
}

func (env environment) placeOne(ctx context.Context, g *guest, server string) error {
	conn, err := pgx.Connect(ctx, env.stack.Reservation)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", services.ReservationDatabase, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var from time.Time
	if err := conn.QueryRow(ctx, nextFreeDaySQL).Scan(&from); err != nil {
		return fmt.Errorf("find a free day: %w", err)
	}
	return g.place(ctx, server, from)
}

// composition asks for one reservation with all its parts.
type composition struct {
	out io.Writer
	url string
}

// composedAnswer is what it is told.
type composedAnswer struct {
	tag, text string
	took      time.Duration
	body      struct {
		Status  string `json:"status"`
		Missing []struct {
			Part string `json:"part"`
		} `json:"missing"`
	}
}

// settled asks until the reservation has its end and no part is missing.
func (c composition) settled(ctx context.Context) (composedAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, sagaTime)
	defer cancel()
	tick := time.NewTicker(tellTime)
	defer tick.Stop()
	for {
		got, err := c.ask(ctx)
		if err != nil || got.body.Status != "PENDING" && got.tag != "" {
			return got, err
		}
		select {
		case <-ctx.Done():
			return got, fmt.Errorf("the reservation is %s and lacks %d parts after %v: see the logs", got.body.Status, len(got.body.Missing), sagaTime)
		case <-tick.C:
		}
	}
}

func (c composition) ask(ctx context.Context) (got composedAnswer, err error) {
	began := time.Now()
	status, tag, text, err := c.get(ctx, "")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("the answer is %d: %s", status, text)
	}
	var pretty bytes.Buffer
	if err == nil {
		err = errors.Join(json.Unmarshal(text, &got.body), json.Indent(&pretty, text, "  ", "  "))
	}
	if err != nil {
		return got, fmt.Errorf("ask for the parts: %w", err)
	}
	got.tag, got.text, got.took = tag, pretty.String(), time.Since(began)
	return got, nil
}

// unchanged asks as a client that has the answer of this tag.
func (c composition) unchanged(ctx context.Context, tag string) error {
	status, _, text, err := c.get(ctx, tag)
	if err == nil && status != http.StatusNotModified {
		err = fmt.Errorf("expected 304 Not Modified, the answer is %d: %s", status, text)
	}
	return err
}

func (c composition) get(ctx context.Context, ifNoneMatch string) (status int, tag string, text []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, http.NoBody)
	if err != nil {
		return 0, "", nil, err
	}
	if ifNoneMatch != "" {
		req.Header.Set("If-None-Match", ifNoneMatch)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", nil, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err = io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return res.StatusCode, res.Header.Get("ETag"), text, err
}

func (c composition) tell(title string, got composedAnswer) {
	fmt.Fprintf(c.out, "\n%s\n  curl -i '%s'\n  (after %d ms; ETag: %s)\n  %s\n", title, c.url, got.took.Milliseconds(), got.tag, got.text)
}
