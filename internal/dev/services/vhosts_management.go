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
	"slices"
	"sync"
	"time"
)

// management administers virtual hosts with the HTTP API of RabbitMQ's
// management plugin.
type management struct {
	base *url.URL
	wait time.Duration // for the API to show a connection

	mu   sync.Mutex
	user string // of the connection that proved the broker; empty until one has
}

// managementOf is the API on the broker's own host and the API's usual port.
func managementOf(broker *url.URL) vhostAdmin {
	base := &url.URL{Scheme: "http", User: broker.User, Host: net.JoinHostPort(broker.Hostname(), "15672"), Path: "/api"}
	if broker.Scheme == "amqps" {
		base.Scheme, base.Host = "https", net.JoinHostPort(broker.Hostname(), "15671")
	}
	if base.User == nil {
		base.User = url.UserPassword("guest", "guest") // as AMQP does
	}
	return &management{base: base, wait: proofTime}
}

func (m *management) name() string { return "management API on " + m.base.Host }

// managedVhost is a virtual host as the API tells of it.
type managedVhost struct{ Name, Description string }

func (v managedVhost) ours() bool { return v.Description == Mark }

func (m *management) change(ctx context.Context, proof string, add, remove []string) ([]string, error) {
	user, err := m.prove(ctx, proof)
	if err != nil {
		return nil, err
	}
	var before, after []managedVhost
	if _, err := m.call(ctx, http.MethodGet, nil, &before, "vhosts"); err != nil {
		return nil, err
	}
	ours := map[string]bool{}
	for _, vhost := range before {
		ours[vhost.Name] = vhost.ours()
		if slices.Contains(add, vhost.Name) && !vhost.ours() {
			return nil, foreignVhost(vhost.Name)
		}
	}
	for _, vhost := range remove {
		if !ours[vhost] {
			continue
		}
		if _, err := m.call(ctx, http.MethodDelete, nil, nil, "vhosts", vhost); err != nil {
			return nil, err
		}
	}
	if err := m.add(ctx, user, add); err != nil {
		return nil, err
	}
	if _, err := m.call(ctx, http.MethodGet, nil, &after, "vhosts"); err != nil {
		return nil, err
	}
	var present []string
	for _, vhost := range after {
		if vhost.ours() {
			present = append(present, vhost.Name)
		}
	}
	return present, nil
}

// add makes all of them or, when one fails, leaves those that it has made.
func (m *management) add(ctx context.Context, user string, names []string) (err error) {
	all := map[string]string{"configure": ".*", "write": ".*", "read": ".*"}
	var made []string
	defer func() {
		for _, vhost := range made {
			if err != nil {
				_, undo := m.call(context.WithoutCancel(ctx), http.MethodDelete, nil, nil, "vhosts", vhost)
				err = errors.Join(err, undo)
			}
		}
	}()
	for _, vhost := range names {
		status, err := m.call(ctx, http.MethodPut, map[string]string{"description": Mark}, nil, "vhosts", vhost)
		if err != nil {
			return err
		}
		if status == http.StatusCreated {
			made = append(made, vhost)
		}
		if _, err := m.call(ctx, http.MethodPut, all, nil, "permissions", vhost, user); err != nil {
			return err
		}
	}
	return nil
}

// The API shows a connection with its next collection of statistics, every five
// seconds unless configured otherwise.
const (
	proofTime  = 15 * time.Second
	proofEvery = 250 * time.Millisecond
)

// prove waits until the API lists the connection, and returns its user. Once seen
// it is believed for as long as the process lives, because of the wait.
func (m *management) prove(ctx context.Context, proof string) (user string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for deadline := time.Now().Add(m.wait); m.user == "" && time.Now().Before(deadline); {
		var connections []struct {
			User       string
			Properties struct {
				Name string `json:"connection_name"`
			} `json:"client_properties"`
		}
		if _, err := m.call(ctx, http.MethodGet, nil, &connections, "connections"); err != nil {
			return "", err
		}
		for _, connection := range connections {
			if connection.Properties.Name == proof {
				m.user = connection.User
				return m.user, nil
			}
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(proofEvery):
		}
	}
	if m.user == "" {
		return "", errAnotherBroker
	}
	return m.user, nil
}

// largestAnswer bounds a list of thousands of connections.
const largestAnswer = 64 << 20

// call sends one request and returns the answer's status; a DELETE of what is not
// there is fine.
func (m *management) call(ctx context.Context, method string, send, receive any, path ...string) (int, error) {
	var body bytes.Buffer
	if send != nil {
		if err := json.NewEncoder(&body).Encode(send); err != nil {
			return 0, err
		}
	}
	address := m.base
	for _, element := range path {
		address = address.JoinPath(url.PathEscape(element))
	}
	// The user and the password in the address become the request's credentials.
	request, err := http.NewRequestWithContext(ctx, method, address.String(), &body)
	if err != nil {
		return 0, errors.New("the address of the management API is not a URL")
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: probeTime}
	response, err := client.Do(request)
	if err != nil {
		return 0, unquoted(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotFound && method == http.MethodDelete {
		return response.StatusCode, nil
	}
	if response.StatusCode >= http.StatusBadRequest {
		return response.StatusCode, fmt.Errorf("%s %s: %s", method, address.Path, response.Status)
	}
	if receive == nil {
		return response.StatusCode, nil
	}
	return response.StatusCode, json.NewDecoder(io.LimitReader(response.Body, largestAnswer)).Decode(receive)
}

// unquoted takes the address off an error of the HTTP client: the caller names it.
func unquoted(err error) error {
	var request *url.Error
	if errors.As(err, &request) {
		return request.Err
	}
	return err
}
