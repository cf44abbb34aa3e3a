package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"
)

// with is the valid request with one member replaced, or left out if value is "".
func with(t testing.TB, field, value string) string {
	t.Helper()
	members := map[string]json.RawMessage{}
	require.NoError(t, json.Unmarshal(fmt.Appendf(nil, valid, canary), &members))
	members[field] = json.RawMessage(value)
	if value == "" {
		delete(members, field)
	}
	text, err := json.Marshal(members)
	require.NoError(t, err)
	return string(text)
}

func TestRefusedRequestsLeaveNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	whole := fmt.Sprintf(valid, canary)
	for _, c := range []struct {
		name, body string
		status     int
		location   string
	}{
		{"unknown field", with(t, "smoker", `"`+canary+`"`), 422, "body.smoker"},
		{"card as a field", with(t, canary, `1`), 422, "body.(number)"},
		{"other case", with(t, "HOTELID", `1`), 422, "body.HOTELID"},
		{"no hotel", with(t, "hotelId", ""), 422, "body"},
		{"hotel 0", with(t, "hotelId", `0`), 422, "body.hotelId"},
		{"hotel negative", with(t, "hotelId", `-1`), 422, "body.hotelId"},
		{"hotel text", with(t, "hotelId", `"one"`), 422, "body.hotelId"},
		{"hotel 0 as text", with(t, "hotelId", `"0"`), 422, "body.hotelId"},
		{"hotel true", with(t, "hotelId", `true`), 422, "body.hotelId"},
		{"room beyond 2^53 as text", with(t, "roomId", `"9007199254740993"`), 422, "body"},
		{"hotel fraction", with(t, "hotelId", `1.5`), 422, "body.hotelId"},
		{"hotel null", with(t, "hotelId", `null`), 422, "body.hotelId"},
		{"room 0", with(t, "roomId", `0`), 422, "body.roomId"},
		{"room beyond 2^53", with(t, "roomId", `9007199254740993`), 422, "body.roomId"},
		{"amount negative", with(t, "paymentDue", `-1`), 422, "body.paymentDue"},
		{"amount text", with(t, "paymentDue", `"49900"`), 422, "body.paymentDue"},
		{"amount fraction", with(t, "paymentDue", `499.00`), 422, "body"},
		{"amount huge", with(t, "paymentDue", `1e300`), 422, "body.paymentDue"},
		{"guest empty", with(t, "guestId", `""`), 422, "body.guestId"},
		{"guest long", with(t, "guestId", `"`+strings.Repeat("g", 65)+`"`), 422, "body.guestId"},
		{"guest NUL", with(t, "guestId", `"a\u0000b"`), 400, "body"},
		{"guest markup", with(t, "guestId", `"<b>"`), 422, "body.guestId"},
		{"guest newline", with(t, "guestId", `"a\n"`), 422, "body.guestId"},
		{"guest fraction", with(t, "guestId", `7.5`), 422, "body.guestId"},
		{"guest in exponents", with(t, "guestId", `7e3`), 422, "body"},
		{"guest negative", with(t, "guestId", `-7`), 422, "body.guestId"},
		{"guest of too many digits", with(t, "guestId", "1"+strings.Repeat("0", 64)), 422, "body"},
		{"guest null", with(t, "guestId", `null`), 422, "body.guestId"},
		{"guest list", with(t, "guestId", `[1]`), 422, "body.guestId"},
		{"guest lone surrogate", with(t, "guestId", `"\ud800"`), 400, "body"},
		{"date shape", with(t, "startDate", `"16.12.2022"`), 422, "body.startDate"},
		{"date with time", with(t, "startDate", `"2022-12-16T00:00:00Z"`), 422, "body.startDate"},
		{"no such day", with(t, "startDate", `"2022-02-30"`), 422, "body.startDate"},
		{"year 0", with(t, "startDate", `"0000-01-01"`), 422, "body.startDate"},
		{"end before start", with(t, "endDate", `"2022-12-15"`), 422, "body.endDate"},
		{"end on start", with(t, "endDate", `"2022-12-16"`), 422, "body.endDate"},
		{"card short", with(t, "creditCardNo", `"49290000111"`), 422, "body.creditCardNo"},
		{"card long", with(t, "creditCardNo", `"49290000111179991234"`), 422, "body.creditCardNo"},
		{"card grouped", with(t, "creditCardNo", `"4929 0000 1111 7999"`), 422, "body.creditCardNo"},
		{"card newline", with(t, "creditCardNo", `"`+canary+`\n"`), 422, "body.creditCardNo"},
		{"card as number", with(t, "creditCardNo", canary), 422, "body.creditCardNo"},
		{"card masked badly", with(t, "creditCardNo", `"*******7999"`), 422, "body.creditCardNo"},
		{"card missing", with(t, "creditCardNo", ""), 422, "body"},
		{"malformed", whole[:len(whole)-2], 400, "body"},
		{"trailing", whole + "{}", 400, "body"},
		{"twice", whole + whole, 400, "body"},
		{"a list", "[" + whole + "]", 422, "body"},
		{"card out of range", with(t, "paymentDue", canary+"e400"), 400, "body"},
	} {
		res := b.post(c.body)
		require.Equal(t, c.status, res.Code, "%s: %s", c.name, res.Body)
		require.Equal(t, "application/problem+json", res.Header().Get("Content-Type"), c.name)
		require.NotContains(t, strings.ReplaceAll(res.Body.String(), " ", ""), canary[:11], c.name)
		var problem huma.ErrorModel
		require.NoError(t, json.Unmarshal(res.Body.Bytes(), &problem))
		require.NotEmpty(t, problem.Errors, c.name)
		require.Equal(t, c.location, problem.Errors[0].Location, "%s: %s", c.name, res.Body)
		require.NotContains(t, problem.Errors[0].Message, "Go ", c.name)
	}
	for name, headers := range map[string][]string{
		"key too long":  {"Idempotency-Key", strings.Repeat("k", 256)},
		"key with tabs": {"Idempotency-Key", "a\tb"},
	} {
		require.Equal(t, http.StatusUnprocessableEntity, b.post(whole, headers...).Code, name)
	}
	require.Equal(t, http.StatusUnsupportedMediaType, b.post(whole, "Content-Type", "text/plain").Code)
	require.Equal(t, http.StatusRequestEntityTooLarge, b.post(whole+strings.Repeat(" ", 1<<20)).Code)
	require.Equal(t, http.StatusBadRequest, b.post("").Code)
	require.Equal(t, [4]int{}, b.rows(t))
	require.NotContains(t, b.log.String(), canary)
}

func TestAcceptedCards(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, card := range []string{canary, "492900001111", "4929000011117999123", "********7999", "***************7999"} {
		require.Equal(t, http.StatusAccepted, b.post(fmt.Sprintf(valid, card)).Code, card)
	}
}

// FuzzPlace: whatever the body, the answer is never the server's fault, and a
// refusal repeats no number that could be a card's.
func FuzzPlace(f *testing.F) {
	b := setup(f)
	f.Add([]byte(fmt.Sprintf(valid, canary)))
	for field, value := range map[string]string{
		"hotelId": `1e3`, "paymentDue": `-0`, "guestId": `"\ud800"`, "startDate": `"9999-12-31"`,
		"endDate": `"9999-12-31"`, "creditCardNo": `["` + canary + `"]`, canary: `{}`,
	} {
		f.Add([]byte(with(f, field, value)))
	}
	for _, text := range []string{``, `{}`, `null`, `[]`, `"` + canary + `"`, `{"a":{"a":{"a":1}}}`, "\xff{", "\ufeff{}"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		res := b.post(string(body))
		if res.Code == http.StatusAccepted {
			return
		}
		require.Less(t, res.Code, 500, "%s", res.Body)
		require.GreaterOrEqual(t, res.Code, 400)
		require.Equal(t, "application/problem+json", res.Header().Get("Content-Type"))
		require.NotRegexp(t, `[0-9]{12}`, res.Body.String())
	})
}

// Ids are numbers or texts, and numbers are kept digit by digit.
func TestIdsAreNumbersOrTexts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for given, kept := range map[string]string{
		`42`: "42", `"42"`: "42", `9007199254740993`: "9007199254740993", `123456789012345678901234567890`: "123456789012345678901234567890",
		`0`: "0", `"me"`: "me", `"00"`: "00",
	} {
		res := b.post(with(t, "guestId", given))
		require.Equal(t, http.StatusAccepted, res.Code, "%s: %s", given, res.Body)
		placed := decode(t, res)
		require.Equal(t, kept, placed.GuestID)
		require.Equal(t, kept, decode(t, b.get(res.Header().Get("Location"))).GuestID)
		var carried string
		require.NoError(t, b.db.QueryRow(t.Context(), `SELECT payload ->> 'guestId' FROM saga WHERE business_key = $1`, placed.ReservationID).Scan(&carried))
		require.Equal(t, kept, carried)
	}
	res := b.post(with(t, "hotelId", `"9007199254740991"`))
	require.Equal(t, http.StatusAccepted, res.Code, res.Body)
	require.EqualValues(t, 9007199254740991, decode(t, res).HotelID)
}
