package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"go.uber.org/zap"

	"go.example/saga/internal/sample/hotel"
	"go.example/saga/internal/sample/lookup"
	"go.example/saga/internal/sample/payment"
	"go.example/saga/internal/sample/reservation"
	"go.example/saga/pkg/compose"
)

// Parts says who has the parts of a reservation that ?expand= can name. The part "saga" is
// the service's own.
type Parts struct {
	// Hotel and Payment are the URLs of these services, such as http://hotel:8080. Where one
	// is empty there is no such part.
	Hotel, Payment string
	// Within is how long all parts of one answer have together.
	Within time.Duration
}

// maxPart is the largest part; what the services of the sample show has a few hundred bytes.
const maxPart = 64 << 10

func (p Parts) sources(service *reservation.Service) compose.Sources[reservation.Reservation] {
	client := &compose.Client{MaxBytes: maxPart}
	sources := compose.Sources[reservation.Reservation]{
		"saga": func(ctx context.Context, r reservation.Reservation) (any, error) {
			progress, err := service.Progress(ctx, r.Saga)
			if errors.Is(err, reservation.ErrNoSaga) {
				err = &compose.Error{Why: compose.NotFound, Err: err}
			}
			return progress, err
		},
	}
	for thing, base := range map[string]string{hotel.Thing: p.Hotel, payment.Thing: p.Payment} {
		if base == "" {
			continue
		}
		sources[thing] = func(ctx context.Context, r reservation.Reservation) (any, error) {
			return client.Get(ctx, strings.TrimRight(base, "/")+lookup.Path(thing, r.Saga.String()))
		}
	}
	return sources
}

// Composed is a reservation with the parts that were asked for.
type Composed struct {
	Body
	compose.Answer
}

// named are the parts that the values of expand name, each one or several between commas.
func (in *getInput) named() (names []string) {
	for _, value := range in.Expand {
		names = append(names, strings.Split(value, ",")...)
	}
	return names
}

// compose adds the parts to a reservation. Why one is missing is told whole to the log.
func (a api) compose(ctx context.Context, found reservation.Reservation, names []string) (Composed, error) {
	answer, err := a.parts.Ask(ctx, a.within, found, names)
	if err != nil {
		return Composed{}, unknownPart(err)
	}
	for _, m := range answer.Missing {
		if m.Why != compose.NotFound && ctx.Err() == nil {
			a.log.Warn("an answer lacks a part", zap.String("part", m.Part), zap.Stringer("reservation", found.ID), zap.Error(m.Err))
		}
	}
	return Composed{Body: bodyOf(found), Answer: answer}, nil
}

func unknownPart(err error) error {
	return huma.Error422UnprocessableEntity("expand names a part that there is not",
		&huma.ErrorDetail{Location: "query.expand", Message: err.Error()})
}

// answer is 200, or 304 where the client has the whole answer already. One that lacks a part
// has no tag: whoever kept it would go on lacking the part when it is back.
func answer(in *getInput, composed Composed) (*getOutput, error) {
	out := &getOutput{Status: http.StatusOK, Body: composed, CacheControl: "private, no-cache"} // look again before each use
	if len(composed.Missing) > 0 {
		return out, nil
	}
	text, err := json.Marshal(composed)
	if err != nil {
		return nil, err
	}
	out.ETag = compose.ETag(text)
	if compose.NotModified(in.IfNoneMatch, out.ETag) {
		out.Status = http.StatusNotModified
	}
	return out, nil
}
