package outboxpg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/outbox"
)

// pageBytes ends a page early, so that a thousand large messages do not have to
// fit into memory at once.
const pageBytes = 8 << 20

// Read returns the next rows behind from, at most max. A page with no rows means
// that there is nothing new. After an error the same Read can be tried again.
func (t *Tenure) Read(ctx context.Context, from Position, max int) (Page, error) {
	if from.window == "" && !t.many {
		page, whole, err := t.readNews(ctx, from, min(t.ask, max))
		if whole || err != nil && !isOfRows(err) {
			return page, err
		}
	}
	return t.readWindow(ctx, from, max)
}

// readNews reads a new window whose rows fit into one page. whole is false where
// there are more.
func (t *Tenure) readNews(ctx context.Context, from Position, asked int) (page Page, whole bool, err error) {
	fail := func(err error) (Page, bool, error) {
		// It may have been too much for the time there was.
		t.ask, t.many = (asked+1)/2, true
		return Page{}, false, fmt.Errorf("look for news in the outbox: %w", explain(err))
	}
	rows, err := t.log.pool.Query(ctx, t.log.query("news"), t.present, from.settled, asked, t.shard, t.shards)
	if err != nil {
		return fail(err)
	}
	defer rows.Close()
	var ends string
	var records []*outbox.Record
	size := 0
	for rows.Next() {
		if columns := rows.RawValues(); columns[0] == nil { // nothing new
			ends = string(columns[len(columns)-1])
			break
		}
		r, err := scanRecord(rows, t.log.serviceName(), &ends)
		if err != nil {
			return fail(err)
		}
		records = append(records, r)
		if size += len(r.Payload); size >= pageBytes {
			break
		}
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return fail(err)
	}
	t.learn(records, asked)
	if len(records) > asked || size >= pageBytes {
		t.many = true
		return Page{}, false, nil
	}
	start := Position{settled: from.settled, window: ends}
	return Page{Records: records, start: start, end: Position{settled: ends}}, true, nil
}

// readWindow reads the next page of the window that from is in, or of a new one.
func (t *Tenure) readWindow(ctx context.Context, from Position, max int) (Page, error) {
	if err := t.open(ctx, from); err != nil {
		return Page{}, err
	}
	w := &t.window
	start := Position{settled: w.settled, window: w.ends, lastID: from.lastID}
	page := Page{start: start, end: Position{settled: w.ends}}
	t.many = from.window != "" // until this one is seen to fit into a page
	if w.last == 0 {
		return page, nil
	}
	name := "page"
	if w.sparse {
		name = "page_sparse"
	}
	after := start.lastID
	if after < w.first {
		after = w.first - 1
	}
	asked := min(t.ask, max)
	args := []any{t.present, w.settled, w.ends, after, w.last, asked, t.shard, t.shards}
	rows, err := t.log.pool.Query(ctx, t.log.query(name), args...)
	if err == nil {
		page.Records, err = t.log.scan(rows, asked)
	}
	if isOfRows(err) {
		page.Records, err = t.readOneByOne(ctx, args)
	}
	if err != nil {
		t.ask = (asked + 1) / 2 // it may have been too much for the time there was
		return Page{}, fmt.Errorf("read a page of the outbox: %w", explain(err))
	}
	t.learn(page.Records, asked)
	if n := len(page.Records); n > 0 && page.Records[n-1].Position < w.last {
		t.many = true
		page.end = Position{settled: w.settled, window: w.ends, lastID: page.Records[n-1].Position}
	}
	return page, nil
}

// firstAsk is how many rows the first page of a tenure asks for.
const firstAsk = 64

// learn sets how many rows the next page asks for. What a query returns beyond
// pageBytes has come over the network for nothing, and may be a gigabyte.
func (t *Tenure) learn(records []*outbox.Record, asked int) {
	size := 0
	for _, r := range records {
		size += len(r.Payload)
	}
	switch {
	case len(records) < asked && size >= pageBytes/2:
		t.ask = max(len(records), 1)
	case len(records) == asked && size < pageBytes/2:
		t.ask = max(t.ask, 2*asked)
	}
}

// readOneByOne reads a page that fails as a whole: the rows that can be read, and of the
// others their ids.
func (t *Tenure) readOneByOne(ctx context.Context, page []any) (records []*outbox.Record, err error) {
	found, err := t.log.pool.Query(ctx, t.log.query("page_ids"), page...)
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(found, pgx.RowTo[int64])
	if err != nil {
		return nil, err
	}
	return t.log.readByID(ctx, ids)
}

// readByID reads rows in the order of the ids, up to pageBytes, and where that fails as a
// whole, each by itself. Those that are gone are left out.
func (l *Log) readByID(ctx context.Context, ids []int64) (records []*outbox.Record, err error) {
	err = l.transact(ctx, func(b *pgx.Batch) {
		b.Queue(l.query("rows"), ids).Query(func(rows pgx.Rows) (err error) {
			records, err = l.scan(rows, len(ids))
			return err
		})
	})
	if !isOfRows(err) {
		return records, err
	}
	if len(ids) == 1 {
		return []*outbox.Record{unreadable(ids[0], err)}, nil
	}
	records = nil
	size := 0
	for _, id := range ids {
		one, err := l.readByID(ctx, []int64{id})
		if err != nil {
			return nil, err
		}
		records = append(records, one...)
		if len(one) > 0 {
			size += len(one[0].Payload)
		}
		if size >= pageBytes {
			break
		}
	}
	return records, nil
}

// scan reads the rows of a page, up to pageBytes.
func (l *Log) scan(rows pgx.Rows, max int) ([]*outbox.Record, error) {
	defer rows.Close()
	records := make([]*outbox.Record, 0, min(max, 1024))
	for size := 0; size < pageBytes && rows.Next(); {
		r, err := scanRecord(rows, l.serviceName())
		if err != nil {
			return nil, err
		}
		size += len(r.Payload)
		records = append(records, r)
	}
	rows.Close()
	return records, rows.Err()
}
