// Package sagasql holds every SQL statement of the project, and the migrations.
//
// A line is a set of migrations that a database may hold or not: the outbox, the
// saga store, a participant's barrier and so on. The folder of a line holds its
// migrations, NNNN_name.sql, and its statements, queries/*.sql. The folder inspect
// holds queries for people.
//
// The files are plain SQL that runs in psql as it stands. They name the schema
// literally, as "public."; where another one is configured, [Up] and [Query] put its
// quoted name there. No file relies on search_path: migrations run with an empty one.
package sagasql

import (
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"sync"
)

// Line names a line of migrations: a folder of this package.
type Line string

// The lines. They do not depend on one another, but for Outbox, which brings Relay
// along, and for Saga, Inbox and Participant, which bring Identity; Saga and Participant bring Instruction too, whose functions
// need Outbox and Identity. Relay alone is for a table that somebody else made: a view called outbox has to be there before.
const (
	Outbox      Line = "outbox"
	Relay       Line = "relay"
	Identity    Line = "identity"
	Saga        Line = "saga"
	Inbox       Line = "inbox"
	Participant Line = "participant"
	Instruction Line = "instruction"
	Reservation Line = "reservation"
	Hotel       Line = "hotel"
	Payment     Line = "payment"
)

//go:embed */*.sql */queries/*.sql
var files embed.FS

// defaultSchema is what the files say.
const defaultSchema = "public"

var (
	validSchema  = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)
	namedSchema  = regexp.MustCompile(`\bpublic\.`)
	queriesTexts sync.Map // queryKey → string
)

type queryKey struct{ schema, name string }

// Query returns the text of the statement "<folder>/<file>.sql", which lies in the
// file <folder>/queries/<file>.sql, for a schema; the empty schema is public. It
// panics where no such file exists or the schema's name is not one that [Up]
// takes: both are mistakes of the program. It is safe for concurrent use.
func Query(schema, name string) string {
	key := queryKey{schema, name}
	if text, ok := queriesTexts.Load(key); ok {
		return text.(string)
	}
	schema, err := checkSchema(schema)
	if err != nil {
		panic("sagasql: query " + name + ": " + err.Error())
	}
	folder, file, _ := strings.Cut(name, "/")
	text, err := fs.ReadFile(files, folder+"/queries/"+file)
	if err != nil {
		panic("sagasql: no query " + name + ": " + err.Error())
	}
	filled := withSchema(string(text), schema)
	queriesTexts.Store(key, filled)
	return filled
}

// checkSchema returns the schema to use. The check is what makes putting the name
// into SQL text safe, so nothing else may let a name through.
func checkSchema(schema string) (string, error) {
	if schema == "" {
		return defaultSchema, nil
	}
	if !validSchema.MatchString(schema) || strings.HasPrefix(schema, "pg_") {
		return "", fmt.Errorf("schema name %q: want %s, and not pg_ in front, which PostgreSQL keeps for itself",
			schema, validSchema)
	}
	return schema, nil
}

// withSchema puts a checked schema's name in place of "public.".
func withSchema(text, schema string) string {
	if schema == defaultSchema {
		return text
	}
	return namedSchema.ReplaceAllLiteralString(text, `"`+schema+`".`)
}
