// Package httpapi is the frame around an HTTP interface: a server with limits on
// everything a client can make it wait for or hold, and an OpenAPI 3.1 interface
// (huma) whose errors are RFC 9457 problems that name the field and never repeat
// what the client sent, because that may be a secret.
package httpapi
