package address_test

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/address"
)

// dials is what pgx would try: host, port and how TLS is used.
func dials(config *pgxpool.Config) (all []string) {
	conn := config.ConnConfig
	for _, s := range append([]*pgconn.FallbackConfig{{Host: conn.Host, Port: conn.Port, TLSConfig: conn.TLSConfig}}, conn.Fallbacks...) {
		all = append(all, fmt.Sprintf("%s|%d %s", s.Host, s.Port, mode(s.TLSConfig)))
	}
	return all
}

func mode(c *tls.Config) string {
	switch {
	case c == nil:
		return "plain"
	case !c.InsecureSkipVerify && c.ServerName != "":
		return "full:" + c.ServerName
	case c.VerifyPeerCertificate != nil:
		return "ca"
	default:
		return "any"
	}
}

// cleanEnvironment hides the PG* variables and files of the developer.
func cleanEnvironment(t testing.TB) {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "PG") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("HOME", t.TempDir())
}

const (
	here     = "127.0.0.1|5432 any,127.0.0.1|5432 plain"
	verified = "db.example|5432 full:db.example"
)

// In every form, what is dialled beyond this machine shows its certificate unless somebody
// has said otherwise.
func TestWhatIsDialled(t *testing.T) {
	cleanEnvironment(t)
	for text, want := range map[string]string{
		"postgres://a:b@db.example/x":                                          verified,
		"postgresql://a:b@db.example:6000/x?connect_timeout=3":                 "db.example|6000 full:db.example",
		"postgres://a:b@10.0.0.7/x":                                            "10.0.0.7|5432 full:10.0.0.7",
		"postgres://a:b@[2001:db8::1]:6000/x":                                  "2001:db8::1|6000 full:2001:db8::1",
		"postgres://a:b@127.0.0.1/x":                                           here,
		"postgres://a:b@127.8.8.8/x":                                           "127.8.8.8|5432 any,127.8.8.8|5432 plain",
		"postgres://a:b@[::1]/x":                                               "::1|5432 any,::1|5432 plain",
		"postgres://a:b@localhost/x":                                           "localhost|5432 any,localhost|5432 plain",
		"postgres:///x?host=/var/run/postgresql":                               "/var/run/postgresql|5432 plain",
		"postgres://%2Fvar%2Frun/x":                                            "/var/run|5432 plain",
		"postgres:///x?host=db.example":                                        verified,
		"postgres://127.0.0.1:5432/db?host=db.example":                         verified,
		"postgres://db.example/x?host=127.0.0.1":                               here,
		"postgres://a@db.example/x?sslmode=":                                   verified,
		"postgres://a@db.example/x?":                                           verified,
		"postgres://a@db.example/x?sslmode=disable":                            "db.example|5432 plain",
		"postgres://a@db.example/x?sslmode=prefer":                             "db.example|5432 any,db.example|5432 plain",
		"postgres://a@db.example/x?sslmode=require&user=c":                     "db.example|5432 any",
		"postgres://a@db.example/x?ssl=true":                                   "db.example|5432 any",
		"postgres://a@db.example/x?sslmode=verify-ca":                          "db.example|5432 ca",
		"postgres://a@db.example/x?sslnegotiation=direct":                      verified,
		"postgres://a@127.0.0.1/x?sslnegotiation=direct":                       "127.0.0.1|5432 any",
		"postgres://a@db.example/x?sslrootcert=system":                         verified,
		"postgres://a@db.example/x?pool_max_conns=3":                           verified,
		"postgres://127.0.0.1,db.example/x":                                    here + "," + verified,
		"postgres://db.example,127.0.0.1/x":                                    verified + "," + here,
		"postgres://a@db.example:1,b.example:2/x?sslmode=disable":              "db.example|1 plain,b.example|2 plain",
		"postgres://127.0.0.1:1,127.0.0.1:1/x?target_session_attrs=read-write": "127.0.0.1|1 any,127.0.0.1|1 plain,127.0.0.1|1 any,127.0.0.1|1 plain",
		"postgres:///x?host=127.0.0.1,db.example&port=1,2":                     "127.0.0.1|1 any,127.0.0.1|1 plain,db.example|2 full:db.example",
		"host=db.example dbname=x":                                             verified,
		"host=db.example dbname=x sslmode=":                                    verified,
		"host=db.example sslmode = dbname=x":                                   "refused",
		"host=db.example sslmode = '' dbname=x":                                verified,
		"host=db.example sslmode = 'disable' dbname=x":                         "db.example|5432 plain",
		"host=127.0.0.1,db.example dbname=x password='a b' ":                   here + "," + verified,
		"host=127.0.0.1 dbname=x password='sslmode=disable'":                   here,
		"host=db.example dbname=x password='sslmode=disable'":                  verified,
		"hostaddr=10.0.0.7 dbname=x":                                           "refused",
		"dbname=x user=a host=db.example options='-c jit=off'":                 verified,
		"\n postgres://a@db.example/x \n":                                      verified,
		"postgres://a@db.example/x?statement_timeout=1&app.tenant=7":           verified,
	} {
		config, err := address.ParseDatabase(text)
		if want == "refused" {
			require.ErrorIs(t, err, address.ErrRefused, text)
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, strings.Split(want, ","), dials(config), text)
	}
}

// What PG* variables and the service file add is judged like the address itself.
func TestWhatTheEnvironmentDials(t *testing.T) {
	services := filepath.Join(t.TempDir(), "services")
	require.NoError(t, os.WriteFile(services, []byte(
		"[bare]\nhost=db.example\ndbname=x\n[prefer]\nhost=db.example\nsslmode=prefer\n[empty]\nhost=db.example\nsslmode=\n"), 0o600))
	for name, c := range map[string]struct{ env, text, want string }{
		"host":                      {"PGHOST=db.example", "dbname=x", verified},
		"host, URL":                 {"PGHOST=db.example", "postgres:///x", verified},
		"list of hosts":             {"PGHOST=127.0.0.1,db.example", "postgres:///x", here + "," + verified},
		"database":                  {"PGDATABASE=y", "host=db.example", verified},
		"all":                       {"PGHOST=db.example PGDATABASE=y", "", verified},
		"mode":                      {"PGHOST=db.example PGSSLMODE=disable", "dbname=x", "db.example|5432 plain"},
		"empty mode hides the mode": {"PGHOST=db.example PGSSLMODE=prefer", "dbname=x sslmode=", verified},
		"wrong mode":                {"PGHOST=db.example PGSSLMODE=x", "dbname=x", "refused"},
		"service":                   {"", "service=bare", verified},
		"service, variable":         {"PGSERVICE=bare", "postgres:///y", verified},
		"service prefers":           {"", "service=prefer dbname=x", "db.example|5432 any,db.example|5432 plain"},
		"service says nothing":      {"PGSSLMODE=prefer", "service=empty dbname=x", verified},
		"service and mode":          {"PGSSLMODE=require", "service=bare", "db.example|5432 any"},
		"service and mode in it":    {"", "service=prefer dbname=x sslmode=disable", "db.example|5432 plain"},
		"no such service":           {"", "service=none", "refused"},
		"odd host":                  {"PGHOST=a@b", "dbname=x", "refused"},
		"odd database":              {"PGDATABASE=a/b", "host=127.0.0.1", "refused"},
		"no database":               {"", "host=127.0.0.1", "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			cleanEnvironment(t)
			t.Setenv("PGSERVICEFILE", services)
			for _, variable := range strings.Fields(c.env) {
				key, value, _ := strings.Cut(variable, "=")
				t.Setenv(key, value)
			}
			config, err := address.ParseDatabase(c.text)
			if c.want == "refused" {
				require.ErrorIs(t, err, address.ErrRefused)
				return
			}
			require.NoError(t, err)
			require.Equal(t, strings.Split(c.want, ","), dials(config))
		})
	}
}
