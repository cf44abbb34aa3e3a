package address

import (
	"errors"
	"io/fs"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const databaseForm = "want postgres://user:password@host:5432/database"

// ParseDatabase reads the address of one database, as a URL or in keywords, together with
// PGHOST and its like and the service file, as pgx does.
//
// Where nobody said an sslmode, the hosts beyond this machine have to show a certificate
// that is valid for their name (verify-full), whatever way led to them. On this machine
// TLS is tried first, as libpq does. An empty sslmode says nothing.
func ParseDatabase(text string) (*pgxpool.Config, error) {
	text = strings.TrimSpace(text)
	said, err := readSettings(text)
	if err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig(text)
	if err != nil {
		return nil, unparsed(err)
	}
	conn := config.ConnConfig
	rememberLogin(said, conn)
	if err := judge(said, conn); err != nil {
		return nil, err
	}
	chosen, err := saidMode(said)
	if err == nil && !chosen {
		err = verifyRemote(text, said, conn)
	}
	if err != nil {
		return nil, err
	}
	return config, nil
}

// unparsed leaves the text of pgx out: it quotes pieces of the address.
func unparsed(err error) error {
	var file *fs.PathError
	if errors.As(err, &file) {
		return refuse("a file that it names cannot be read: "+file.Err.Error(), "see sslrootcert, sslcert, sslkey and servicefile")
	}
	return refuse("PostgreSQL's client cannot read it, or what it names in PG* variables and files", databaseForm+"; "+encode)
}

// judge compares what pgx will dial with what was read, and demands plain names.
func judge(said settings, conn *pgx.ConnConfig) error {
	for key, got := range map[string]string{"user": conn.User, "password": conn.Password, "dbname": conn.Database} {
		if want := said[key]; want != "" && want != got {
			return refuse("its "+key+" can be read in two ways", encode)
		}
	}
	for _, server := range servers(conn) {
		if !plainHost(server.Host) {
			return refuse("a host is no plain name, no IP address and no folder of a socket", encode)
		}
	}
	if !plainSecret(conn.User) || !plainSecret(conn.Password) {
		return refuse("an escape in the user or password stands for no character", encode)
	}
	if conn.Database == "" {
		return refuse("it names no database", databaseForm)
	}
	if !plainName(conn.Database, "") {
		return refuse("the database's name is not plain", "it may have letters, digits and _ - . $ ~ +; "+encode)
	}
	return nil
}

// servers are all that pgx will try, in order.
func servers(conn *pgx.ConnConfig) []*pgconn.FallbackConfig {
	first := &pgconn.FallbackConfig{Host: conn.Host, Port: conn.Port, TLSConfig: conn.TLSConfig}
	return append([]*pgconn.FallbackConfig{first}, conn.Fallbacks...)
}

func rememberLogin(said settings, conn *pgx.ConnConfig) {
	shown := []string{conn.User, conn.Database}
	for _, server := range servers(conn) {
		shown = append(shown, server.Host)
	}
	for _, secret := range []string{conn.Password, said["password"], said["sslpassword"]} {
		remember(secret, shown...)
	}
}

func decoded(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}
