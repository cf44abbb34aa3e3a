// Package sample wires the daemons of the sample: settings, the migration of each
// one's own database, its consumer and its health port.
package sample
