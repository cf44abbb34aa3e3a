// Package demo is what `make demo` and `make run` do once the servers answer:
// databases and a virtual host, the five daemons, and for the demo three
// reservations that take the three ways a saga can go, or another of the patterns.
// It uses the services only as a user does (HTTP and SQL), carries out a step of its
// own where a pattern needs one, and fails when an outcome is not the expected one.
package demo
