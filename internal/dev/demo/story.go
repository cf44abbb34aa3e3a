package demo

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"go.example/saga/internal/cli"
)

var (
	//go:embed news.sql
	newsSQL string
	//go:embed reservations.sql
	reservationsSQL string
	//go:embed sagas.sql
	sagasSQL string
	//go:embed outbox.sql
	outboxSQL string
	//go:embed pending.sql
	pendingSQL string
	//go:embed saga_status.sql
	sagaStatusSQL string
	//go:embed next_free_day.sql
	nextFreeDaySQL string
)

// story prints what the database tells, as it happens.
type story struct {
	out  io.Writer
	conn *pgx.Conn
	// schema holds the reservation's tables; empty means public.
	schema string
	names  map[string]string // saga's business key → guest
	keys   []string
	seen   map[string]int64 // business key → last history row printed
}

// in is a statement on the reservation's tables, wherever they lie.
func (s *story) in(statement string) string {
	return strings.ReplaceAll(statement, "public.", cmp.Or(s.schema, "public")+".")
}

// tellNews prints the transitions since the last call: one line each.
func (s *story) tellNews(ctx context.Context) error {
	rows, err := s.conn.Query(ctx, s.in(newsSQL), s.keys)
	if err != nil {
		return fmt.Errorf("read the timeline: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var key, sentence string
		var seq int64
		var elapsed float64
		if err := rows.Scan(&key, &seq, &elapsed, &sentence); err != nil {
			return fmt.Errorf("read the timeline: %w", err)
		}
		if seq <= s.seen[key] {
			continue
		}
		s.seen[key] = seq
		fmt.Fprintf(s.out, "  %-4s +%6.0f ms  %s\n", s.names[key], elapsed, sentence)
	}
	return rows.Err()
}

// table prints a query's answer with its column names.
func (s *story) table(ctx context.Context, title, query string) error {
	rows, err := s.conn.Query(ctx, s.in(query), s.keys)
	if err != nil {
		return fmt.Errorf("%s: %w", title, err)
	}
	defer rows.Close()
	var header []string
	for _, column := range rows.FieldDescriptions() {
		header = append(header, column.Name)
	}
	var lines [][]string
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return fmt.Errorf("%s: %w", title, err)
		}
		line := make([]string, len(values))
		for i, v := range values {
			line[i] = cell(v)
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s: %w", title, err)
	}
	fmt.Fprintf(s.out, "\n%s\n", title)
	return cli.Table(s.out, header, lines)
}

func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case time.Time:
		return v.Format(time.TimeOnly)
	default:
		return fmt.Sprint(v)
	}
}
