package outboxpg

import (
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"go.example/saga/pkg/outbox"
)

// Years outside of these are nobody's: no clock says them, and not all writers of times
// can print them.
var (
	minTime = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	endTime = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
)

// scanRecord reads the columns that page.sql, news.sql and rows.sql share, and after them the
// further ones. What a row holds that no message can makes it [outbox.Record.Unreadable] and
// is no error.
func scanRecord(rows pgx.Rows, service string, further ...any) (*outbox.Record, error) {
	r := &outbox.Record{Service: service}
	var eventID pgtype.UUID
	var headers, payload, payloadBytes []byte
	var createdAt, deliverAt pgtype.Timestamptz
	dest := append([]any{
		&r.Position, &eventID, &r.AggregateType, &r.AggregateID, &r.Type, &r.Exchange, &r.RoutingKey,
		&r.CorrelationID, &r.ReplyTo, &r.ContentType, &headers, &payload, &payloadBytes, &createdAt, &deliverAt,
	}, further...)
	if err := rows.Scan(dest...); err != nil {
		return nil, err
	}
	r.ID, r.CreatedAt, r.DeliverAt = eventID.Bytes, createdAt.Time, deliverAt.Time
	r.Payload = payload
	if payload == nil {
		r.Payload = payloadBytes
	}
	if string(headers) != "{}" {
		var err error
		if r.Headers, err = parseHeaders(headers); err != nil {
			r.Unreadable = errors.New("its headers are not an object of strings")
		}
	}
	switch {
	case !eventID.Valid:
		r.Unreadable = errors.New("its event_id is null")
	case !plausible(createdAt):
		r.Unreadable = errors.New("its created_at is null, infinite or not within the years 2000 to 9999")
	case deliverAt.Valid && !plausible(deliverAt):
		r.Unreadable = errors.New("its deliver_at is infinite or beyond the year 9999")
	}
	return r, nil
}

func plausible(t pgtype.Timestamptz) bool {
	return t.Valid && t.InfinityModifier == pgtype.Finite && !t.Time.Before(minTime) && t.Time.Before(endTime)
}

// unreadable is what is known of a row that the database cannot give: its value is spoilt,
// or a view fails on it.
func unreadable(id int64, err error) *outbox.Record {
	r := &outbox.Record{Position: id, Unreadable: fmt.Errorf("the database cannot read it: %w", err)}
	r.AggregateID = fmt.Sprintf("row %d", id) // whose messages it may be one of is not known: none waits for it
	return r
}

// isOfRows says whether an error may be one row's doing: a value that cannot be converted
// or is too large, or data that is damaged. It is a reason to read row by row, and no verdict:
// a row that fails alone is tried again like one that the broker refuses.
func isOfRows(err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || len(pgErr.Code) < 2 {
		return false
	}
	const dataException, limitExceeded, internal = "22", "54", "XX"
	switch pgErr.Code[:2] {
	case dataException, limitExceeded, internal:
		return true
	}
	return false
}
