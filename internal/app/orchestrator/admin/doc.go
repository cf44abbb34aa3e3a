// Package admin is the HTTP interface for operators: look at sagas and tell them what to
// do, as the command line does. It is described at /openapi.yaml.
//
// Who may call is decided before anything else: on an address that only this machine
// reaches everybody, but no page in a browser; elsewhere who has the token. No answer
// and no log line repeats the body of a request, and what a saga carries is shown
// without secrets and card data.
package admin
