package reservation

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"
)

// fingerprint tells two requests under one idempotency key apart. Of the card it
// takes the last four digits only: the hash of a whole card number can be turned
// back by trying all of them.
func fingerprint(r Request) ([]byte, error) {
	text, err := json.Marshal([]any{
		r.HotelID, r.RoomID, r.GuestID,
		r.Start.Format(time.DateOnly), r.End.Format(time.DateOnly),
		r.PaymentDue, r.Card.LastFour(),
	})
	if err != nil {
		return nil, fmt.Errorf("fingerprint of the request: %w", err)
	}
	sum := sha256.Sum256(text)
	return sum[:], nil
}
