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
// It repeats the request while the service is away, as a careful client does.
func (s *Stack) Place(ctx context.Context, wish Wish, key string) (string, error) {
	body, err := json.Marshal(wish)
	if err != nil {
		return "", err
	}
	retry := time.NewTicker(100 * time.Millisecond)
	defer retry.Stop()
	for {
		id, again, err := s.try(ctx, body, key)
		if err == nil || !again {
			return id, err
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("place %s: %w", key, err)
		case <-retry.C:
		}
	}
}

// try sends the request once; again says whether it may be repeated.
func (s *Stack) try(ctx context.Context, body []byte, key string) (id string, again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL()+"/api/v1/reservations", bytes.NewReader(body))
	if err != nil {
		return "", false, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", true, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return "", true, err
	}
	if res.StatusCode != http.StatusAccepted {
		return "", res.StatusCode >= http.StatusInternalServerError, fmt.Errorf("place %s: %s: %s", key, res.Status, text)
	}
	var placed struct {
		ReservationID string `json:"reservationId"`
	}
	err = json.Unmarshal(text, &placed)
	return placed.ReservationID, false, err
}
