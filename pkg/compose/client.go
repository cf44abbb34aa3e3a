package compose

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.example/saga/pkg/jsonmap"
)

// DefaultMaxBytes is the largest part that a [Client] takes unless it says otherwise.
const DefaultMaxBytes = 1 << 20

// Client fetches parts from other services by HTTP. The zero value is ready for use; safe for
// concurrent use.
type Client struct {
	// MaxBytes is the largest body that is taken; 0 is [DefaultMaxBytes].
	MaxBytes int64
	// Transport makes the requests, for example with a token; nil is one that all clients
	// share. It bounds the connections to one service, so that one that is slow does not
	// take all the sockets.
	Transport http.RoundTripper
}

// shared is the transport of clients that bring none.
var shared = &http.Transport{
	Proxy:                  http.ProxyFromEnvironment,
	ForceAttemptHTTP2:      true,
	MaxConnsPerHost:        64,
	MaxIdleConnsPerHost:    16,
	IdleConnTimeout:        30 * time.Second,
	TLSHandshakeTimeout:    5 * time.Second,
	MaxResponseHeaderBytes: 32 << 10,
}

// Get returns the JSON value at the URL as it came, or an [*Error]. Only the status 200 is an
// answer; a redirect is none. How long it may take is ctx's to say.
func (c *Client) Get(ctx context.Context, url string) (json.RawMessage, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, &Error{Why: Failed, Err: fmt.Errorf("ask for a part: %w", err)}
	}
	req.Header.Set("Accept", "application/json")
	var transport http.RoundTripper = shared
	if c.Transport != nil {
		transport = c.Transport
	}
	// One request and no more: a client would follow redirects, and an answer from
	// elsewhere is not that service's.
	res, err := transport.RoundTrip(req)
	if err != nil {
		return nil, &Error{Why: whyOf(err, Unreachable), Err: fmt.Errorf("ask %s: %w", url, err)}
	}
	defer func() { _ = res.Body.Close() }()
	switch res.StatusCode {
	case http.StatusOK:
		return c.read(res.Body, url)
	case http.StatusNotFound:
		return nil, &Error{Why: NotFound, Err: fmt.Errorf("ask %s: %s", url, res.Status)}
	default:
		return nil, &Error{Why: Status, Status: res.StatusCode, Err: fmt.Errorf("ask %s", url)}
	}
}

func (c *Client) read(body io.Reader, url string) (json.RawMessage, error) {
	most := c.MaxBytes
	if most <= 0 {
		most = DefaultMaxBytes
	}
	text, err := io.ReadAll(io.LimitReader(body, most+1))
	if err != nil {
		return nil, &Error{Why: whyOf(err, Incomplete), Err: fmt.Errorf("read the answer of %s: %w", url, err)}
	}
	if int64(len(text)) > most {
		return nil, &Error{Why: TooLarge, Err: fmt.Errorf("the answer of %s is larger than %d bytes", url, most)}
	}
	// Stricter than encoding/json: no name twice, UTF-8 throughout, bounded depth. What
	// clients would read in two ways is not passed on.
	if err := jsonmap.Check(text); err != nil {
		return nil, &Error{Why: Invalid, Err: fmt.Errorf("the answer of %s: %w", url, err)}
	}
	return text, nil
}

// whyOf is a timeout where the error is one, and else what the caller knows.
func whyOf(err error, otherwise Why) Why {
	if timedOut(err) {
		return Timeout
	}
	return otherwise
}
