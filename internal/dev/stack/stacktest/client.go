package stacktest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Wish is a reservation that a guest asks for.
type Wish struct {
	HotelID      int    `json:"hotelId"`
	RoomID       int    `json:"roomId"`
	StartDate    string `json:"startDate"`
	EndDate      string `json:"endDate"`
	GuestID      string `json:"guestId"`
	PaymentDue   int64  `json:"paymentDue"`
	CreditCardNo string `json:"creditCardNo"`
}

// Night is a wish for one night in a room of hotel 1, counted from a fixed day.
func Night(room, night int, guest, card string) Wish {
	from := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, night)
	return Wish{
		HotelID: 1, RoomID: room, GuestID: guest, PaymentDue: 12500, CreditCardNo: card,
		StartDate: from.Format(time.DateOnly), EndDate: from.AddDate(0, 0, 1).Format(time.DateOnly),
	}
}

// Place asks for the reservation under the idempotency key and returns its id.
// It repeats the request while the service is away or says 503, as a careful
// client does. Any other answer than 202 is an error.
func (s *Stack) Place(ctx context.Context, wish Wish, key string) (string, error) {
	retry := time.NewTicker(100 * time.Millisecond)
	defer retry.Stop()
	for {
		answer, err := s.Ask(ctx, wish, key)
		if err == nil && answer.Status == http.StatusAccepted {
			return answer.ReservationID()
		}
		if err == nil {
			err = fmt.Errorf("place %s: %d: %s", key, answer.Status, answer.Body)
			if answer.Status != http.StatusServiceUnavailable {
				return "", err
			}
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("place %s: %w", key, err)
		case <-retry.C:
		}
	}
}

// Answer is what the reservation service says to a request.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// ReservationID is the id in the answer to a reservation that was taken.
func (a Answer) ReservationID() (string, error) {
	var placed struct {
		ReservationID string `json:"reservationId"`
	}
	err := json.Unmarshal(a.Body, &placed)
	return placed.ReservationID, err
}

// Ask sends the request once. An error means that there was no whole answer.
func (s *Stack) Ask(ctx context.Context, wish Wish, key string) (Answer, error) {
	body, err := json.Marshal(wish)
	if err != nil {
		return Answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL()+"/api/v1/reservations", bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return Answer{Status: res.StatusCode, Header: res.Header, Body: text}, err
}
