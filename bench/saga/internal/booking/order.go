package booking

import (
	"fmt"
	"time"

	"go.example/saga/internal/sample/reservation"
)

const (
	hotelID = 2    // the sample's own hotel is 1
	rooms   = 1000 // so that neighbours in time are not after the same room
	price   = 49900
	// One of so many has a card that is declined.
	declinedEach = 10
)

// first is the first night that is booked.
var first = time.Date(2030, time.January, 1, 0, 0, 0, 0, time.UTC)

// Order is a guest's wish. No two want the same room for the same night.
type Order int

// Declined says that the card has no money: the saga has to be undone.
func (o Order) Declined() bool { return o%declinedEach == declinedEach-1 }

func (o Order) room() int64      { return int64(o)%rooms + 1 }
func (o Order) start() time.Time { return first.AddDate(0, 0, int(o)/rooms) }
func (o Order) end() time.Time   { return o.start().AddDate(0, 0, 1) }
func (o Order) guest() string    { return fmt.Sprintf("guest-%d", o) }

// due differs from guest to guest, so that a wrong sum shows.
func (o Order) due() int64 { return price + int64(o)%1000 }

func (o Order) cardLast4() string {
	if o.Declined() {
		return "9999"
	}
	return "1111"
}

// Request is the order as the reservation service takes it.
func (o Order) Request() (reservation.Request, error) {
	card, err := reservation.ParseCardNumber("************" + o.cardLast4())
	return reservation.Request{
		HotelID: hotelID, RoomID: o.room(), GuestID: o.guest(), Start: o.start(), End: o.end(), PaymentDue: o.due(), Card: card,
	}, err
}
