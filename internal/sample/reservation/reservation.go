package reservation

import (
	"errors"
	"time"

	"github.com/google/uuid"
)

// Request is what a guest asks for. Its fields are within the bounds that the
// HTTP interface states; the table's CHECK constraints hold them once more.
type Request struct {
	HotelID int64
	RoomID  int64
	GuestID string
	// Start is the first night, End the day of departure; dates in UTC.
	Start time.Time
	End   time.Time
	// PaymentDue is in minor units.
	PaymentDue int64
	Card       CardNumber
}

// Status is where a reservation stands.
type Status string

const (
	// Pending reservations wait for their saga.
	Pending Status = "PENDING"
	// Succeed is final: the room is booked and paid.
	Succeed Status = "SUCCEED"
	// Failed is final: nothing is booked, nothing is paid.
	Failed Status = "FAILED"
)

// Reservation is what a client may see of one.
type Reservation struct {
	ID      uuid.UUID
	HotelID int64
	RoomID  int64
	GuestID string
	Status  Status
	// FailureReason is for the guest to read; empty unless FAILED.
	FailureReason string
	// Saga is the saga that carries it out; only [Service.Get] tells it.
	Saga uuid.UUID
}

var (
	// ErrNotFound says that there is no such reservation.
	ErrNotFound = errors.New("no such reservation")
	// ErrNotReady says that the saga's definition has not been applied yet. Nothing was
	// done; try again later.
	ErrNotReady = errors.New("no definition of the saga " + SagaType + " has been applied yet")
	// ErrKeyReused says that the idempotency key stands for another request.
	ErrKeyReused = errors.New("this idempotency key was used for another request")
)
