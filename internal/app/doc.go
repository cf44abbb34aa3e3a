// Package app holds what every daemon needs and no engine does: the log, the
// database pool, the health port, and running several tasks as one. Each daemon
// has its own package below this one that wires settings to engines.
package app
