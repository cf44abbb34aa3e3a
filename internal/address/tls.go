package address

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgservicefile"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// saidMode tells whether somebody has said an sslmode: in the address, in the service file
// or in PGSSLMODE, in this order.
func saidMode(said settings) (bool, error) {
	mode, err := sslMode(said)
	return slices.Contains([]string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}, mode), err
}

func sslMode(said settings) (string, error) {
	if mode, ok := said["sslmode"]; ok {
		return mode, nil
	}
	name, ok := said["service"]
	if !ok {
		name = os.Getenv("PGSERVICE")
	}
	if !ok && name == "" {
		return os.Getenv("PGSSLMODE"), nil
	}
	file := said["servicefile"]
	if file == "" {
		file = os.Getenv("PGSERVICEFILE")
	}
	if home, err := os.UserHomeDir(); file == "" && err == nil {
		file = filepath.Join(home, ".pg_service.conf")
	}
	services, err := pgservicefile.ReadServicefile(file)
	if err != nil {
		return "", unparsed(err)
	}
	service, err := services.GetService(name)
	if err != nil {
		return "", unparsed(err)
	}
	if mode, ok := service.Settings["sslmode"]; ok {
		return mode, nil
	}
	return os.Getenv("PGSSLMODE"), nil
}

// verifyRemote gives the servers beyond this machine what pgx makes of verify-full for them,
// and takes away the attempts without TLS.
func verifyRemote(text string, said settings, conn *pgx.ConnConfig) error {
	strict, err := pgx.ParseConfig(withVerifyFull(text, said))
	if err != nil {
		return unparsed(err)
	}
	verified := map[string]*pgconn.FallbackConfig{}
	for _, server := range servers(strict) {
		verified[server.Host] = server
	}
	var kept []*pgconn.FallbackConfig
	for _, server := range servers(conn) {
		if IsLocal(server.Host) {
			kept = append(kept, server)
			continue
		}
		tls := verified[server.Host]
		if tls == nil || tls.TLSConfig == nil || tls.TLSConfig.InsecureSkipVerify {
			return refuse("TLS cannot be demanded of a host", "say sslmode=verify-full in it")
		}
		if server.TLSConfig != nil {
			kept = append(kept, &pgconn.FallbackConfig{Host: server.Host, Port: server.Port, TLSConfig: tls.TLSConfig})
		}
	}
	conn.Host, conn.Port, conn.TLSConfig, conn.Fallbacks = kept[0].Host, kept[0].Port, kept[0].TLSConfig, kept[1:]
	return nil
}

// withVerifyFull is the address with the setting, in the form's own way. The last one holds.
func withVerifyFull(text string, said settings) string {
	const setting = "sslmode=verify-full"
	switch {
	case !isURL(text):
		return said.keywords(setting)
	case !strings.Contains(text, "?"):
		return text + "?" + setting
	case strings.HasSuffix(text, "?"):
		return text + setting
	default:
		return text + "&" + setting
	}
}

// IsLocal says that a host is this machine: a socket, localhost or a loopback address.
func IsLocal(host string) bool {
	if strings.HasPrefix(host, "/") || strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
