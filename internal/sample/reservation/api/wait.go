package api

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"go.example/saga/internal/sample/reservation"
)

const (
	// longestWait bounds what a client may ask for: each one that waits holds a connection.
	longestWait = 20 * time.Second
	// firstLook and longestLook bound the pause between two looks for the end.
	firstLook, longestLook = 10 * time.Millisecond, 250 * time.Millisecond
)

// waitOf reads the preference wait of RFC 7240, 4.3. Others are ignored, as section 2 wants it.
func waitOf(prefer string) (time.Duration, error) {
	for _, preference := range strings.FieldsFunc(prefer, func(r rune) bool { return r == ',' || r == ';' }) {
		name, value, _ := strings.Cut(preference, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "wait") {
			continue
		}
		seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 31)
		if err != nil {
			return 0, huma.Error400BadRequest("the preference wait is no number of seconds",
				&huma.ErrorDetail{Location: "header.Prefer", Message: "expected wait=N, N being whole seconds, such as wait=5"})
		}
		return min(time.Duration(seconds)*time.Second, longestWait), nil // #nosec G115 -- 31 bits
	}
	return 0, nil
}

// await looks until the reservation has ended or the time is over, and returns it as it was
// last seen. A database that fails meanwhile is the next look's to tell.
func (a api) await(ctx context.Context, placed reservation.Reservation, wait time.Duration) reservation.Reservation {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for pause := firstLook; placed.Status == reservation.Pending; pause = min(2*pause, longestLook) {
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return placed
		case <-timer.C:
		}
		if seen, err := a.service.Get(ctx, placed.ID); err == nil {
			placed = seen
		}
	}
	return placed
}
