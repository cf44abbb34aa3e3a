package services

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// management administers virtual hosts with the HTTP API of RabbitMQ's
// management plugin.
type management struct{ base *url.URL }

// managementOf is the API on the broker's own host and the API's usual port.
func managementOf(broker *url.URL) vhostAdmin {
	base := &url.URL{Scheme: "http", User: broker.User, Host: net.JoinHostPort(broker.Hostname(), "15672"), Path: "/api"}
	if broker.Scheme == "amqps" {
		base.Scheme, base.Host = "https", net.JoinHostPort(broker.Hostname(), "15671")
	}
	return management{base: base}
}

func (m management) name() string { return "management API on " + m.base.Host }

func (m management) change(ctx context.Context, user string, add, remove []string) ([]string, error) {
	for _, vhost := range remove {
		if err := m.call(ctx, http.MethodDelete, nil, nil, "vhosts", vhost); err != nil {
			return nil, err
		}
	}
	all := map[string]string{"configure": ".*", "write": ".*", "read": ".*"}
	for _, vhost := range add {
		if err := m.call(ctx, http.MethodPut, map[string]string{}, nil, "vhosts", vhost); err != nil {
			return nil, err
		}
		if err := m.call(ctx, http.MethodPut, all, nil, "permissions", vhost, user); err != nil {
			return nil, err
		}
	}
	var vhosts []struct{ Name string }
	if err := m.call(ctx, http.MethodGet, nil, &vhosts, "vhosts"); err != nil {
		return nil, err
	}
	var present []string
	for _, v := range vhosts {
		if strings.HasPrefix(v.Name, Prefix) {
			present = append(present, v.Name)
		}
	}
	return present, nil
}

// call sends one request; a DELETE of what is not there is fine.
func (m management) call(ctx context.Context, method string, send, receive any, path ...string) error {
	var body bytes.Buffer
	if send != nil {
		if err := json.NewEncoder(&body).Encode(send); err != nil {
			return err
		}
	}
	address := m.base.JoinPath(path...)
	address.User = nil
	request, err := http.NewRequestWithContext(ctx, method, address.String(), &body)
	if err != nil {
		return err
	}
	password, _ := m.base.User.Password()
	request.SetBasicAuth(m.base.User.Username(), password)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: probeTime}
	response, err := client.Do(request)
	if err != nil {
		return unquoted(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotFound && method == http.MethodDelete {
		return nil
	}
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: %s", method, address.Path, response.Status)
	}
	if receive == nil {
		return nil
	}
	return json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(receive)
}

// unquoted takes the address off an error of the HTTP client: the caller names it.
func unquoted(err error) error {
	var request *url.Error
	if errors.As(err, &request) {
		return request.Err
	}
	return err
}
