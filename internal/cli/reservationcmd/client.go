package reservationcmd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.example/saga/internal/cli"
	"go.example/saga/internal/sample/reservation/api"
)

const (
	requestTimeout = 10 * time.Second
	maxAnswer      = 1 << 20
)

// client talks to a running reservation service.
type client struct{ server string }

// wish is the body of a request for a reservation. It holds the card number, so
// it is never printed.
type wish struct {
	HotelID      int64  `json:"hotelId"`
	RoomID       int64  `json:"roomId"`
	StartDate    string `json:"startDate"`
	EndDate      string `json:"endDate"`
	GuestID      string `json:"guestId"`
	PaymentDue   int64  `json:"paymentDue"`
	CreditCardNo string `json:"creditCardNo"`
}

func (c client) place(ctx context.Context, w wish, key string) (api.Body, error) {
	body, err := json.Marshal(w)
	if err != nil {
		return api.Body{}, fmt.Errorf("encode the request: %w", err)
	}
	return c.do(ctx, http.MethodPost, api.Path, body, key)
}

func (c client) get(ctx context.Context, id string) (api.Body, error) {
	return c.do(ctx, http.MethodGet, api.Path+"/"+url.PathEscape(id), nil, "")
}

func (c client) do(ctx context.Context, method, path string, body []byte, key string) (api.Body, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.server, "/")+path, bytes.NewReader(body))
	if err != nil {
		return api.Body{}, cli.Usagef("--server: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return api.Body{}, fmt.Errorf("is the reservation service running? %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return api.Body{}, fmt.Errorf("read the answer: %w", err)
	}
	if res.StatusCode >= 300 {
		return api.Body{}, refusal(res.StatusCode, text)
	}
	var answer api.Body
	if err := json.Unmarshal(text, &answer); err != nil {
		return api.Body{}, fmt.Errorf("the answer is not that of a reservation service: %w", err)
	}
	return answer, nil
}

// refusal turns a problem (RFC 9457) into an error with the exit code that fits.
func refusal(status int, text []byte) error {
	var problem struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
		Errors []struct {
			Message  string `json:"message"`
			Location string `json:"location"`
		} `json:"errors"`
	}
	// An answer that is no problem still has its status.
	_ = json.Unmarshal(text, &problem)
	words := []string{fmt.Sprintf("%d %s: %s", status, http.StatusText(status), problem.Detail)}
	for _, e := range problem.Errors {
		words = append(words, fmt.Sprintf("  %s: %s", e.Location, e.Message))
	}
	said := strings.Join(words, "\n")
	switch {
	case status == http.StatusNotFound:
		return cli.NotFoundf("%s", said)
	case status == http.StatusConflict:
		return cli.Refusedf("%s", said)
	case status < 500:
		return cli.Usagef("%s", said)
	default:
		return fmt.Errorf("%s", said)
	}
}
