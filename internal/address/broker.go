package address

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Broker is one address at which a broker may be.
type Broker struct {
	// URL is what the AMQP library takes. It holds the password.
	URL string
	// TLS says that the scheme is amqps.
	TLS bool
	// Host, Port and Vhost may be shown.
	Host  string
	Port  int
	Vhost string
}

const (
	defaultPort    = 5672
	defaultTLSPort = 5671
)

const brokerForm = "want amqp://user:password@host:5672/vhost, or amqps"

// Brokers reads the addresses of one broker or cluster, in the order in which they are
// to be tried: URLs that are separated by white space or commas, each with one host or
// several (host1:5672,host2:5672).
func Brokers(text string) ([]Broker, error) {
	texts := split(text, brokerBegins)
	if len(texts) == 0 {
		return nil, refuse("it is empty", brokerForm)
	}
	var all []Broker
	for i, one := range texts {
		found, err := brokersOf(one)
		if err != nil && len(texts) > 1 {
			err = fmt.Errorf("entry %d of %d: %w", i+1, len(texts), err)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// brokersOf reads one URL.
func brokersOf(text string) ([]Broker, error) {
	scheme, _, ok := strings.Cut(text, "://")
	scheme = strings.ToLower(scheme)
	if !ok || scheme != "amqp" && scheme != "amqps" {
		return nil, refuse("it begins with neither amqp:// nor amqps://", brokerForm)
	}
	parts, err := cutURL(text)
	if err != nil {
		return nil, err
	}
	parts.scheme = scheme
	if err := judgeLogin(parts.login); err != nil {
		return nil, err
	}
	vhost, err := vhostOf(parts.path)
	if err != nil {
		return nil, err
	}
	var all []Broker
	hosts := strings.Split(parts.hosts, ",")
	for _, host := range hosts {
		if host == "" && len(hosts) > 1 {
			return nil, refuse("a host is missing between two commas", brokerForm)
		}
		b := Broker{TLS: scheme == "amqps", Vhost: vhost, URL: parts.withHost(text, host)}
		if b.Host, b.Port, err = hostPort(host, b.TLS); err != nil {
			return nil, err
		}
		if _, err := url.Parse(b.URL); err != nil {
			return nil, refuse("it is no URL", encode) // the error quotes it
		}
		all = append(all, b)
	}
	return all, nil
}

// withHost is the URL with one of its hosts.
func (u urlParts) withHost(text, host string) string {
	login := ""
	if u.hasLogin {
		login = u.login + "@"
	}
	tail := text[len(u.scheme)+len("://")+len(login)+len(u.hosts):]
	return u.scheme + "://" + login + host + tail
}

// judgeLogin remembers the password, and refuses one that somebody forgot to encode.
func judgeLogin(login string) error {
	name, password, _ := strings.Cut(login, ":")
	user, err := url.PathUnescape(name)
	decoded, err2 := url.PathUnescape(password)
	if err != nil || err2 != nil || !plainSecret(user) || !plainSecret(decoded) {
		return refuse("an escape in the user or password stands for no character", encode)
	}
	remember(decoded, user)
	remember(password, user)
	return nil
}

// vhostOf reads the path as the AMQP library does: all of it behind the first slash.
func vhostOf(path string) (string, error) {
	if path == "" {
		return "/", nil
	}
	vhost, err := url.PathUnescape(path)
	if err != nil || !plainName(vhost, "/:") || strings.Contains(path, ",") {
		return "", refuse("the virtual host is no plain name", "its name may have letters, digits and _ - . $ ~ + / :")
	}
	return vhost, nil
}

// hostPort reads one host of the list; a missing one is this machine.
func hostPort(text string, secure bool) (host string, port int, err error) {
	host, port = text, defaultPort
	if secure {
		port = defaultTLSPort
	}
	if i := strings.LastIndexByte(text, ':'); i >= 0 && !strings.HasSuffix(text, "]") {
		number, err := strconv.ParseUint(text[i+1:], 10, 16)
		if err != nil || number == 0 {
			return "", 0, refuse("the port is no number of 1 to 65535", encode)
		}
		host, port = text[:i], int(number)
	}
	inner, bracketed := strings.CutPrefix(host, "[")
	if bracketed {
		host = strings.TrimSuffix(inner, "]")
	}
	if host == "" && !bracketed {
		host = "localhost"
	}
	if !plainHost(host) || bracketed != strings.Contains(host, ":") || strings.HasPrefix(host, "/") {
		return "", 0, refuse("a host is no plain name and no IP address", "want host, host:port or [IPv6]:port; "+encode)
	}
	return host, port, nil
}
