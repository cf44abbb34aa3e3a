package payment

import (
	"errors"
	"regexp"

	"go.example/saga/pkg/jsonmap"
)

// bill is the part of the saga's payload that concerns the payment.
type bill struct {
	paymentDue           int64
	cardToken, cardLast4 string
}

var (
	tokenPattern    = regexp.MustCompile(`^tok_[0-9a-f-]{36}$`)
	lastFourPattern = regexp.MustCompile(`^[0-9]{4}$`)
)

// billOf reads the payload. Its errors are for people and quote no values.
func billOf(payload jsonmap.JSONMap) (b bill, err error) {
	var due, token, lastFour bool
	b.paymentDue, due = payload.GetInt64("/paymentDue")
	b.cardToken, token = payload.GetString("/cardToken")
	b.cardLast4, lastFour = payload.GetString("/cardLast4")
	switch {
	case !due || !token || !lastFour:
		return bill{}, errors.New("paymentDue has to be an integer, cardToken and cardLast4 texts")
	case b.paymentDue < 0:
		return bill{}, errors.New("paymentDue is negative")
	case !tokenPattern.MatchString(b.cardToken) || !lastFourPattern.MatchString(b.cardLast4):
		return bill{}, errors.New("cardToken is not a token, or cardLast4 is not four digits")
	}
	return b, nil
}
