package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/services"
	"go.example/saga/pkg/jsonmap"
)

// example is the text of a definition that is shipped.
func example(t *testing.T, name string) string {
	t.Helper()
	root, err := services.Root()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(root, "examples", "definitions", name))
	require.NoError(t, err)
	return string(text)
}

// A journey without a flight: what its conditions say is not needed is left out, and
// everybody is sent what concerns them. The hotel never sees the card.
func TestSagaTellsWhatIsNeeded(t *testing.T) {
	t.Parallel()
	s := set(t, example(t, "trip.yaml"))
	s.actors["hotel"].brings(jsonmap.JSONMap{"bookingId": "B-1", "price": 120, "pin": "0000"})
	s.actors["payment"].brings(jsonmap.JSONMap{"receiptId": "R-1", "acquirer": "secret"})
	s.begin(jsonmap.JSONMap{
		"guests": 2, "from": "2030-01-01", "to": "2030-01-02", "flies": false, "cardToken": "tok_4711", "email": "ada@example.org",
	})
	s.ends(ending{
		steps: "hotel SUCCEEDED, flight OMITTED, approval OMITTED, payment SUCCEEDED, confirmation-mail SUCCEEDED",
		deeds: "confirmation-mail REQUEST, hotel REQUEST, payment REQUEST", events: []string{"COMPLETED"},
		timeline: `
started → REQUEST hotel
hotel answered REQUEST: succeeded → REQUEST payment
payment answered REQUEST: succeeded → REQUEST confirmation-mail
confirmation-mail answered REQUEST: succeeded → COMPLETED`,
	})
	for step, body := range map[string]string{
		"hotel":             `{"payload": {"guests": 2, "from": "2030-01-01", "to": "2030-01-02"}, "outputs": {}}`,
		"payment":           `{"payload": {"card": "tok_4711", "hotel": 120}, "outputs": {}}`,
		"confirmation-mail": `{"payload": {"to": "ada@example.org", "receipt": "R-1"}, "outputs": {}}`,
	} {
		l := s.post.await(step + ".REQUEST")
		require.JSONEq(t, body, string(l.Body), step)
		if step != "payment" {
			require.NotContains(t, fmt.Sprint(string(l.Body), l.Headers), "tok_4711")
		}
	}
	require.Empty(t, s.post.letters("flight.*"))
	require.Equal(t, []string{`{"hotel": {"price": 120, "bookingId": "B-1"}, "payment": {"receiptId": "R-1"}}`},
		s.texts(s.sagas, `SELECT outputs::text FROM saga WHERE id = $1`), "no more is kept than the definition says")
}
