package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// guest is one reservation of the demo and what has to become of it.
type guest struct {
	name   string
	story  string
	room   int
	card   string
	status string // of the reservation in the end
	saga   string // status of the saga in the end
	id     string
	sagaID string // where it was asked for
}

// guests take the three ways a saga can go.
func guests() []*guest {
	return []*guest{
		{name: "ada", story: "room 1 is open, the card is good", room: 1, card: "************1111", status: "SUCCEED", saga: "COMPLETED"},
		{name: "bob", story: "room 3 is open, the card will be declined", room: 3, card: "************9999", status: "FAILED", saga: "ABORTED"},
		{name: "cyd", story: "room 2 is taken", room: 2, card: "************1111", status: "FAILED", saga: "ABORTED"},
	}
}

// place asks the reservation service for the room.
func (g *guest) place(ctx context.Context, server string, from time.Time) error {
	body, err := json.Marshal(map[string]any{
		"hotelId": 1, "roomId": g.room, "guestId": g.name, "paymentDue": 49900, "creditCardNo": g.card,
		"startDate": from.Format(time.DateOnly), "endDate": from.AddDate(0, 0, 2).Format(time.DateOnly),
	})
	if err != nil {
		return fmt.Errorf("the request of %s: %w", g.name, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server+"/api/v1/reservations", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("the request of %s: %w", g.name, err)
	}
	req.Header.Set("Content-Type", "application/json")
	var placed struct {
		ReservationID string `json:"reservationId"`
	}
	if err := do(req, http.StatusAccepted, &placed); err != nil {
		return fmt.Errorf("place the reservation of %s: %w", g.name, err)
	}
	g.id = placed.ReservationID
	return nil
}

// outcome is what the reservation service says of a reservation.
type outcome struct {
	Status string `json:"status"`
}

func (g *guest) ask(ctx context.Context, server string) (outcome, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/api/v1/reservations/"+g.id, nil)
	if err != nil {
		return outcome{}, fmt.Errorf("ask for the reservation of %s: %w", g.name, err)
	}
	var got outcome
	if err := do(req, http.StatusOK, &got); err != nil {
		return outcome{}, fmt.Errorf("ask for the reservation of %s: %w", g.name, err)
	}
	return got, nil
}

func do(req *http.Request, want int, into any) error {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err
	}
	if res.StatusCode != want {
		return fmt.Errorf("the answer is %s: %s", res.Status, text)
	}
	return json.Unmarshal(text, into)
}
