package payment

import (
	"encoding/json"
	"errors"
	"regexp"

	"go.example/saga/pkg/jsonmap"
)

// bill is the part of the saga's payload that concerns the payment.
type bill struct {
	PaymentDue int64  `json:"paymentDue"`
	CardToken  string `json:"cardToken"`
	CardLast4  string `json:"cardLast4"`
}

var (
	tokenPattern    = regexp.MustCompile(`^tok_[0-9a-f-]{36}$`)
	lastFourPattern = regexp.MustCompile(`^[0-9]{4}$`)
)

// billOf reads the payload. Its errors are for people and quote no values.
func billOf(payload jsonmap.JSONMap) (bill, error) {
	text, err := json.Marshal(payload)
	if err != nil {
		return bill{}, errors.New("the payload is not JSON")
	}
	var b bill
	switch err := json.Unmarshal(text, &b); {
	case err != nil:
		return bill{}, errors.New("paymentDue has to be an integer, cardToken and cardLast4 texts")
	case b.PaymentDue < 0:
		return bill{}, errors.New("paymentDue is negative")
	case !tokenPattern.MatchString(b.CardToken) || !lastFourPattern.MatchString(b.CardLast4):
		return bill{}, errors.New("cardToken is not a token, or cardLast4 is not four digits")
	}
	return b, nil
}
