package inbox

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"go.example/saga/pkg/inbox/quarantine"
)

// maxReason bounds the reason of a quarantine row, in bytes.
const maxReason = 2000

// quarantine stores the rejected deliveries inside the batch's transaction, each with its
// next try.
func (c *consumer) quarantine(ctx context.Context, tx pgx.Tx, ds []Delivery, rejections []Rejection) error {
	if len(rejections) == 0 {
		return nil
	}
	batch, hold := &pgx.Batch{}, &pgx.Batch{}
	for _, r := range rejections {
		if r.Index < 0 || r.Index >= len(ds) {
			return fmt.Errorf("the handler rejected delivery %d of %d", r.Index, len(ds))
		}
		row, err := c.row(ds[r.Index], r.Code, r.Reason)
		if err != nil {
			return err
		}
		code, named := cmp.Or(r.Code, Other), ds[r.Index].MessageID != ""
		batch.Queue(c.quarantineSQL, row...).QueryRow(func(row pgx.Row) error {
			var id int64
			var tries int
			var age float64
			if err := row.Scan(&id, &tries, &age); err != nil {
				return err
			}
			if v := quarantine.Judge(code, named, tries, time.Duration(age*float64(time.Second))); !v.Dead {
				quarantine.Hold(hold, c.Schema, id, tries, v)
			}
			return nil
		})
	}
	err := tx.SendBatch(ctx, batch).Close()
	if err == nil && hold.Len() > 0 {
		err = tx.SendBatch(ctx, hold).Close()
	}
	if err != nil {
		return fmt.Errorf("store in inbox_quarantine: %w", err)
	}
	return nil
}

// setAsideBefore says whether the message has a row already. Where the database does not
// answer it has none.
func (c *consumer) setAsideBefore(ctx context.Context, d Delivery) (known bool) {
	row, err := c.row(d, "", "")
	if err != nil {
		return false
	}
	const consumer, id, digest = 0, 2, 10 // of the parameters of quarantine.sql
	ctx, cancel := context.WithTimeout(ctx, proveTime)
	defer cancel()
	err = c.DB.QueryRow(ctx, c.knownSQL, row[consumer], row[id], row[digest]).Scan(&known)
	return err == nil && known
}

// row is a delivery as the parameters of quarantine.sql. Only the body may hold
// any bytes; everything else is made storable.
func (c *consumer) row(d Delivery, code Code, reason string) ([]any, error) {
	properties, headers, err := encode(d)
	if err != nil {
		return nil, fmt.Errorf("encode properties and headers for inbox_quarantine: %w", err)
	}
	var id *string
	if d.MessageID != "" {
		text := storable(d.MessageID)
		id = &text
	}
	if reason == "" {
		reason = "no reason given"
	}
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "") + "…"
	}
	body := d.Body
	if body == nil {
		body = []byte{} // NULL would be another thing than no bytes
	}
	return []any{
		c.Name, storable(d.Queue), id, cmp.Or(code, Other), storable(reason), storable(d.Exchange), storable(d.RoutingKey),
		properties, headers, body, digest(properties, headers, body),
	}, nil
}

// withoutValues is the text of an error without the values that PostgreSQL quotes in it,
// because they come out of the message. Names of its objects stay.
func withoutValues(err error) string {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err.Error()
	}
	names := []string{pg.SchemaName, pg.TableName, pg.ColumnName, pg.DataTypeName, pg.ConstraintName}
	for _, quoted := range quotedText.FindAllString(pg.Message, -1) {
		if !slices.Contains(names, strings.Trim(quoted, `"`)) {
			return strings.ReplaceAll(err.Error(), pg.Message, allQuoted.ReplaceAllString(pg.Message, `"…"`))
		}
	}
	return err.Error()
}

var (
	quotedText = regexp.MustCompile(`"[^"]*("|$)`)
	// allQuoted is from the first mark to the last, because a value may hold some.
	allQuoted = regexp.MustCompile(`(?s)".*"`)
)

// encode falls back to the fields of the delivery, for sources that know no more.
func encode(d Delivery) (properties, headers json.RawMessage, err error) {
	if d.Original != nil {
		return d.Original.Encode()
	}
	properties, err = document(map[string]string{
		"message_id": d.MessageID, "type": d.Type, "content_type": d.ContentType,
		"correlation_id": d.CorrelationID, "reply_to": d.ReplyTo, "app_id": d.AppID,
	})
	if err != nil {
		return nil, nil, err
	}
	headers, err = document(d.Headers)
	return properties, headers, err
}

// digest tells messages apart. The parts cannot run into one another: the first two are
// JSON documents.
func digest(properties, headers, body []byte) []byte {
	hash := sha256.New()
	for _, part := range [][]byte{properties, headers, body} {
		hash.Write(part)
	}
	return hash.Sum(nil)
}

func document(texts map[string]string) (json.RawMessage, error) {
	out := make(map[string]string, len(texts))
	for k, v := range texts {
		if v != "" {
			out[storable(k)] = storable(v)
		}
	}
	return json.Marshal(out)
}

// storable escapes a string that PostgreSQL's text cannot hold, so that a person
// still sees each byte: NUL becomes \x00.
func storable(s string) string {
	if utf8.ValidString(s) && !strings.Contains(s, "\x00") {
		return s
	}
	quoted := strconv.QuoteToASCII(s)
	return quoted[1 : len(quoted)-1]
}

// report tells the operator what a commit set aside.
func (c *consumer) report(ds []Delivery, rejections []Rejection) {
	for _, r := range rejections {
		d := ds[r.Index]
		c.Log.Error("a message went to the quarantine", zap.String("message_id", d.MessageID),
			zap.String("type", d.Type), zap.String("code", string(cmp.Or(r.Code, Other))), zap.String("reason", r.Reason))
	}
}
