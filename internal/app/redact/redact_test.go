package redact_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app/redact"
)

func TestSuspicious(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"token", "cardToken", "CARD_NO", "creditCardNumber", "card-last4", "password", "userPassword", "clientSecret", "API-Key",
		"apiKey", "iban", "IBAN", "guestIban", "cvv", "cvc2", "pan", "PAN", "cardPan", "card_pan", "pin", "PinCode", "authorization",
		"private.key", "accountNumber",
	} {
		require.True(t, redact.Suspicious(name), name)
	}
	for _, name := range []string{"", "company", "span", "panel", "spinner", "japan", "opinion", "room", "keys", "roomKey", "amount", "guestId", "status", "日本"} {
		require.False(t, redact.Suspicious(name), name)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		`{}`:                         `{}`,
		`{"room":1,"token":"x"}`:     `{"room":1,"token":"[redacted]"}`,
		`{"a":{"b":[{"pan":4929}]}}`: `{"a":{"b":[{"pan":"[redacted]"}]}}`,
		`{"card":{"no":"4929","holder":{"name":"Ann"}}}`: `{"card":"[redacted]"}`,
		`{"cvv":null,"sum":12345678901234567890.10}`:     `{"cvv":null,"sum":12345678901234567890.10}`,
		`{"html":"<b>&"}`:  `{"html":"<b>&"}`,
		`[{"secret":[1]}]`: `[{"secret":"[redacted]"}]`,
		`"token"`:          `"token"`,
	} {
		got, err := redact.JSON([]byte(given))
		require.NoError(t, err)
		require.Equal(t, want, string(got), given)
	}
	_, err := redact.JSON([]byte(`{"token": "x`))
	require.Error(t, err)
	require.NotContains(t, err.Error(), "x\"")
}
