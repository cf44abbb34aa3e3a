package testenv

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"go.example/saga/internal/dev/services"
	sagasql "go.example/saga/sql"
)

// Roles are those of the page docs/roles.md, under names that are the test's own. Its
// methods name a role as the page does.
type Roles struct {
	sections map[string][]string // the groups of each section's first block, by its heading
	names    map[string]string   // the test's name of each role
}

const rolePassword = "test"

var (
	roleHeading = regexp.MustCompile(`(?m)^##+ (.+)$`)
	roleBlock   = regexp.MustCompile("(?s)```sql\n(.*?)\n```")
	roleMade    = regexp.MustCompile(`(?m)^CREATE ROLE (\w+)`)
	namedPublic = regexp.MustCompile(`\bpublic\b`)
	// roleOfServices are those that all services of a kind may share where each has a database.
	roleOfServices = regexp.MustCompile(`\bsaga_(starter|participant|listener)\b`)
	roleNamed      = regexp.MustCompile(`\bsaga_\w+\b`)
)

// DocumentedRoles makes the page's roles, without a right, for the time of the test. Call
// it before [Database]: a role goes only after the databases in which it has rights.
func DocumentedRoles(t testing.TB) *Roles {
	t.Helper()
	r := &Roles{sections: map[string][]string{}, names: map[string]string{}}
	page := r.read(t)
	prefix := newName()
	var all []string
	for _, made := range roleMade.FindAllStringSubmatch(page, -1) {
		r.names[made[1]] = prefix + strings.TrimPrefix(made[1], "saga")
		all = append(all, r.names[made[1]])
	}
	t.Cleanup(func() {
		administer(t, func(ctx context.Context, admin *pgxpool.Pool) {
			if err := spent.drop(ctx); err != nil {
				t.Errorf("drop the databases that know the roles: %v", err)
			}
			if _, err := admin.Exec(ctx, "DROP ROLE IF EXISTS "+strings.Join(all, ", ")); err != nil {
				t.Errorf("drop the roles of docs/roles.md: %v", err)
			}
		})
	})
	administer(t, func(_ context.Context, admin *pgxpool.Pool) {
		sweepRoles(t, admin)
		r.Run(t, admin, "The roles")
		r.Run(t, admin, "The sample")
		for _, name := range all {
			r.exec(t, admin, "ALTER ROLE "+name+" PASSWORD '"+rolePassword+"'")
		}
	})
	return r
}

// administer works in the database that administers the others.
func administer(t testing.TB, work func(context.Context, *pgxpool.Pool)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), adminTime)
	defer cancel()
	admin, err := pgxpool.New(ctx, servers(t).Postgres.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	work(ctx, admin)
}

// read takes the page to pieces.
func (r *Roles) read(t testing.TB) string {
	t.Helper()
	root, err := services.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "roles.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	headings := roleHeading.FindAllStringSubmatchIndex(page, -1)
	for i, at := range headings {
		end := len(page)
		if i+1 < len(headings) {
			end = headings[i+1][0]
		}
		if block := roleBlock.FindStringSubmatch(page[at[0]:end]); block != nil {
			r.sections[page[at[2]:at[3]]] = strings.Split(block[1], "\n\n")
		}
	}
	return page
}

// Run runs a section's statements that are always needed, and the groups that say that
// they are only for these.
func (r *Roles) Run(t testing.TB, db *pgxpool.Pool, heading string, only ...string) {
	t.Helper()
	r.exec(t, db, r.group(t, heading, ""))
	for _, what := range only {
		r.exec(t, db, r.group(t, heading, what))
	}
}

// RunIn is [Roles.Run] for one of several services of a database: on its schema, and for its own
// role where the page has one that services share.
func (r *Roles) RunIn(t testing.TB, db *pgxpool.Pool, schema, role, heading string, only ...string) {
	t.Helper()
	for _, what := range append([]string{""}, only...) {
		group := namedPublic.ReplaceAllLiteralString(r.group(t, heading, what), schema)
		r.exec(t, db, roleOfServices.ReplaceAllLiteralString(group, role))
	}
}

// Only are the groups of a section that are only for something, each by its first line.
func (r *Roles) Only(heading string) (groups []string) {
	for _, group := range r.sections[heading][1:] {
		first, _, _ := strings.Cut(group, "\n")
		groups = append(groups, strings.TrimSuffix(strings.TrimPrefix(first, "-- Only for "), ":"))
	}
	return groups
}

func (r *Roles) group(t testing.TB, heading, only string) string {
	t.Helper()
	for i, group := range r.sections[heading] {
		first, _, _ := strings.Cut(group, "\n")
		if only == "" && i == 0 || only != "" && strings.HasPrefix(first, "-- Only for ") && strings.Contains(first, only) {
			return group
		}
	}
	t.Fatalf("docs/roles.md: section %q has no statements for %q", heading, only)
	return ""
}

func (r *Roles) exec(t testing.TB, db *pgxpool.Pool, statements string) {
	t.Helper()
	if _, err := db.Exec(t.Context(), r.Named(statements)); err != nil {
		t.Fatalf("docs/roles.md: %v\n%s", err, statements)
	}
}

// Named is the text with the test's names of the roles.
func (r *Roles) Named(text string) string {
	return roleNamed.ReplaceAllStringFunc(text, func(word string) string {
		if name, known := r.names[word]; known {
			return name
		}
		return word
	})
}

// Migrate has the owner of the page make the tables of a database that db administers.
func (r *Roles) Migrate(t testing.TB, db *pgxpool.Pool, lines ...sagasql.Line) {
	t.Helper()
	r.Run(t, db, "The owner")
	if err := sagasql.Up(t.Context(), r.URL(t, db, "saga_owner"), "", lines...); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(lines, isOwned) {
		if err := Own(t.Context(), db); err != nil {
			t.Fatal(err)
		}
	}
}

// URL leads a role to the database of db.
func (r *Roles) URL(t testing.TB, db *pgxpool.Pool, role string) string {
	t.Helper()
	return r.As(t, db.Config().ConnString(), role)
}

// As is a database's URL with the role in place of the user.
func (r *Roles) As(t testing.TB, database, role string) string {
	t.Helper()
	address, err := url.Parse(database)
	if err != nil || r.names[role] == "" {
		t.Fatalf("the address of a test database for role %q: %v", role, err)
	}
	address.User = url.UserPassword(r.names[role], rolePassword)
	return address.String()
}

// Pool is a role's pool on the database of db. The caller has counted its connections.
func (r *Roles) Pool(t testing.TB, db *pgxpool.Pool, role string) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(r.URL(t, db, role))
	if err != nil {
		t.Fatalf("the address of role %s: %v", role, err)
	}
	config.MaxConns = poolSize
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		t.Fatalf("connect as role %s: %v", role, err)
	}
	t.Cleanup(pool.Close)
	return pool
}
