package httpcall

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Targets are whom may be called.
type Targets struct {
	origins map[string]bool
	// listed are the addresses that the list has as such.
	listed  map[netip.Addr]bool
	private bool
}

// ParseTargets reads a list of origins as "https://pay.example.com,http://10.0.0.7:8080".
// private allows names that stand for private addresses.
func ParseTargets(list string, private bool) (Targets, error) {
	t := Targets{origins: map[string]bool{}, listed: map[netip.Addr]bool{}, private: private}
	for _, text := range strings.Split(list, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
			return Targets{}, errors.New("a target is no origin: write scheme, host and port, as https://pay.example.com or http://10.0.0.7:8080, with commas between")
		}
		t.origins[origin(u)] = true
		if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
			t.listed[addr.Unmap()] = true
		}
	}
	return t, nil
}

// origin is scheme, host and port in one spelling.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), port)
}

// check returns the origin of a URL that may be called.
func (t Targets) check(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return "", errors.New("the URL cannot be read")
	}
	from := origin(u)
	if !t.origins[from] {
		return "", fmt.Errorf("%s is not among the targets that may be called: add it to HTTP_TARGETS", from)
	}
	return from, nil
}

// errPrivate: an address that must not be dialled.
var errPrivate = errors.New("is an address of a private network or of this machine: list it as such in HTTP_TARGETS, or set HTTP_PRIVATE_ADDRESSES=true")

// control is asked about each address that is to be dialled.
func (t Targets) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("the address to dial cannot be read: %w", err)
	}
	addr := at.Addr().Unmap().WithZone("")
	if t.private || t.listed[addr] || public(addr) {
		return nil
	}
	return fmt.Errorf("%s %w", addr, errPrivate)
}

// special are the networks besides those that package netip knows which are not the public
// Internet, see the IANA's registries of special-purpose addresses (RFC 6890).
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("fec0::/10"),
}

func public(addr netip.Addr) bool {
	if !addr.IsGlobalUnicast() || addr.IsPrivate() {
		return false
	}
	for _, p := range special {
		if p.Contains(addr) {
			return false
		}
	}
	return true
}

// Client is a client that calls whatever has a public address, or one that these targets
// allow: for URLs that are listed elsewhere. It follows no redirects.
func (t Targets) Client(timeout time.Duration, perHost int) *http.Client {
	dialer := &net.Dialer{Timeout: timeout / 2, Control: t.control}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: timeout / 2, ForceAttemptHTTP2: true,
			MaxIdleConnsPerHost: perHost, IdleConnTimeout: 90 * time.Second, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
