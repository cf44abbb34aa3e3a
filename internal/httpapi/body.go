package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"go.example/saga/pkg/jsonmap"
)

// bounded reads the body before anything else looks at it, so that a body that
// is too large, breaks off or is no JSON is the client's error and not the
// server's. A body that does not say what it is counts as JSON.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBodyBytes))
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			Problem(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", MaxBodyBytes))
		case err != nil:
			Problem(w, http.StatusBadRequest, "the body could not be read to its end")
		case len(body) > 0 && encoded(r.Header.Values("Content-Encoding")):
			w.Header().Set("Accept-Encoding", "identity") // RFC 7694
			Problem(w, http.StatusUnsupportedMediaType, "the body has a Content-Encoding: send it as it is, without one")
		case len(body) > 0 && !isJSON(r.Header.Values("Content-Type")):
			Problem(w, http.StatusUnsupportedMediaType, "the Content-Type of the body has to be application/json, in UTF-8")
		case !legible(r.URL):
			Problem(w, http.StatusUnprocessableEntity, "the path or the query is not UTF-8 text without the character U+0000, or not escaped as a URL is; a semicolon is %3B")
		default:
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(w, r)
		}
	})
}

func encoded(encodings []string) bool {
	for _, list := range encodings {
		for encoding := range strings.SplitSeq(list, ",") {
			if e := strings.TrimSpace(encoding); e != "" && !strings.EqualFold(e, "identity") {
				return true
			}
		}
	}
	return false
}

// isJSON says that the body claims to be JSON, which is UTF-8 (RFC 8259).
func isJSON(contentTypes []string) bool {
	if len(contentTypes) == 0 || len(contentTypes) == 1 && contentTypes[0] == "" {
		return true
	}
	media, parameters, err := mime.ParseMediaType(contentTypes[0])
	charset, said := parameters["charset"]
	return len(contentTypes) == 1 && err == nil && media == "application/json" && (!said || strings.EqualFold(charset, "utf-8"))
}

// legible says that what a URL says can be a text in PostgreSQL. Of a body, unmarshal does.
func legible(u *url.URL) bool {
	if _, err := url.ParseQuery(u.RawQuery); err != nil { // what it cannot read would be passed over: a semicolon
		return false
	}
	query, err := url.QueryUnescape(u.RawQuery)
	return err == nil && jsonmap.Storable(u.Path) && jsonmap.Storable(query)
}

// unmarshal decodes JSON with errors for the client: no Go types, no values.
func unmarshal(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case err == nil:
		return storable(data)
	case errors.As(err, &syntax):
		return fmt.Errorf("not one JSON value: wrong at byte %d", syntax.Offset)
	case errors.As(err, &mismatch) && mismatch.Field != "":
		return fmt.Errorf("%s is not written as this interface takes it: an integer has no fraction and no exponent", mismatch.Field)
	case errors.As(err, &mismatch):
		return errors.New("a number is out of range")
	default:
		return errors.New("the value of a field cannot be read")
	}
}

// storable refuses what encoding/json takes in silence, or makes something else of: lone
// surrogates, U+0000, bytes that are not UTF-8, a name twice.
func storable(body []byte) error {
	var wrong *jsonmap.Error
	if err := jsonmap.Check(body); errors.As(err, &wrong) {
		return fmt.Errorf("wrong at byte %d: %s", wrong.Offset, wrong.Reason)
	}
	return nil
}
