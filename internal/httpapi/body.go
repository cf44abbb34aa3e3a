package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
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
		case len(body) > 0 && !isJSON(r.Header.Get("Content-Type")):
			Problem(w, http.StatusUnsupportedMediaType, "the Content-Type of the body has to be application/json")
		default:
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(w, r)
		}
	})
}

func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == "application/json"
}

// unmarshal decodes JSON with errors for the client: no Go types, no values.
func unmarshal(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
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
