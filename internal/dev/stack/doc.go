// Package stack runs the five daemons of the sample as child processes against a
// PostgreSQL and a RabbitMQ: for the demo, for a developer's foreground, and for
// the tests that kill daemons. Each daemon has its own log file and is reached
// only as a user would reach it: environment variables, ports, signals.
package stack
