// Package instance runs servers that belong to one run and end with it: RabbitMQ nodes and a
// PostgreSQL, from this machine's packages or from a folder that holds another
// distribution's. They listen on the loopback address only, on ports that are free, and
// share nothing with servers that run here otherwise.
//
// Package services, on the other hand, finds or starts the servers that stay.
package instance
