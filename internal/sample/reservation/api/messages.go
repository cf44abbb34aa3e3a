package api

import (
	"time"

	"github.com/danielgtaylor/huma/v2"

	"go.example/saga/internal/sample/reservation"
)

type placeInput struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" pattern:"^[!-~]+$" patternDescription:"printable ASCII without spaces" doc:"Makes repeating the request safe: the same key and body yield the same reservation."`
	Prefer         string `header:"Prefer" doc:"wait=N asks for the end, if it comes within N seconds, at most 20 (RFC 7240); else the answer is 202, as ever." example:"wait=5"`
	Body           placeBody
}

// placeBody keeps dates as text until they have been checked, and nothing of the
// card number but what reservation.CardNumber holds.
type placeBody struct {
	HotelID      number                 `json:"hotelId"`
	RoomID       number                 `json:"roomId"`
	StartDate    string                 `json:"startDate" format:"date" doc:"First night." example:"2027-01-10"`
	EndDate      string                 `json:"endDate" format:"date" doc:"Day of departure, after startDate." example:"2027-01-12"`
	GuestID      name                   `json:"guestId"`
	PaymentDue   int64                  `json:"paymentDue" minimum:"0" maximum:"9007199254740991" doc:"Minor units (cents)." example:"49900"`
	CreditCardNo reservation.CardNumber `json:"creditCardNo" pattern:"^([0-9]{12,19}|\\*{8,15}[0-9]{4})$" patternDescription:"12 to 19 digits, or 8 to 15 asterisks and the last four digits" doc:"12 to 19 digits, or masked: 8 to 15 asterisks and the last four digits. Only the last four are kept." example:"************7999"`
}

// Bounds of the dates: what every database and client can represent.
var (
	firstDate = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	lastDate  = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
)

// Resolve checks what a schema cannot say. It implements [huma.Resolver]. It also
// runs when the schema has found errors; those are not repeated.
func (in *placeInput) Resolve(huma.Context) []error {
	start, errStart := time.Parse(time.DateOnly, in.Body.StartDate)
	end, errEnd := time.Parse(time.DateOnly, in.Body.EndDate)
	if errStart != nil || errEnd != nil {
		return nil
	}
	var errs []error
	for _, d := range []struct {
		field string
		date  time.Time
	}{{"startDate", start}, {"endDate", end}} {
		if d.date.Before(firstDate) || d.date.After(lastDate) {
			errs = append(errs, &huma.ErrorDetail{Location: "body." + d.field, Message: "expected a date from the year 2000 on"})
		}
	}
	if !end.After(start) {
		errs = append(errs, &huma.ErrorDetail{Location: "body.endDate", Message: "expected a date after startDate"})
	}
	return errs
}

// request is called once everything is checked.
func (b placeBody) request() reservation.Request {
	start, _ := time.Parse(time.DateOnly, b.StartDate)
	end, _ := time.Parse(time.DateOnly, b.EndDate)
	return reservation.Request{
		HotelID: int64(b.HotelID), RoomID: int64(b.RoomID), GuestID: string(b.GuestID),
		Start: start, End: end,
		PaymentDue: b.PaymentDue, Card: b.CreditCardNo,
	}
}

type placeOutput struct {
	Status     int
	Location   string `header:"Location" doc:"Where to look for the end."`
	RetryAfter string `header:"Retry-After" doc:"Seconds after which looking makes sense; none where the end is here."`
	Applied    string `header:"Preference-Applied" doc:"The wait that was heeded."`
	Body       Body
}

type getInput struct {
	ID          string   `path:"id" doc:"The reservation's id, a UUID."`
	Expand      []string `query:"expand,explode" doc:"Parts to add, which other services know: names between commas, or this parameter several times."`
	IfNoneMatch string   `header:"If-None-Match" doc:"The ETag of an answer that the client has."`
}

type getOutput struct {
	Status       int
	ETag         string `header:"ETag" doc:"Changes with the answer. There is none where a part is missing."`
	CacheControl string `header:"Cache-Control"`
	Body         Composed
}

// Body is a reservation as the interface shows it.
type Body struct {
	ReservationID string             `json:"reservationId" format:"uuid"`
	HotelID       int64              `json:"hotelId"`
	RoomID        int64              `json:"roomId"`
	GuestID       string             `json:"guestId"`
	Status        reservation.Status `json:"status" enum:"PENDING,SUCCEED,FAILED"`
	FailureReason string             `json:"failureReason,omitempty" doc:"Why it FAILED."`
}

func bodyOf(r reservation.Reservation) Body {
	return Body{
		ReservationID: r.ID.String(),
		HotelID:       r.HotelID,
		RoomID:        r.RoomID,
		GuestID:       r.GuestID,
		Status:        r.Status,
		FailureReason: r.FailureReason,
	}
}
