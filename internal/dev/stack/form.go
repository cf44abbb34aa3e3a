package stack

import "strings"

// Form is how the services of the sample share a database, if they do.
type Form string

const (
	// Apart gives each service a database of its own.
	Apart Form = ""
	// SharedSchema gives each service a schema of its own in one database, called as the service.
	SharedSchema Form = "schema"
	// SharedTable puts the tables of all services into one schema, public, with one outbox, one
	// barrier and one service name: that of the reservation service.
	SharedTable Form = "table"
)

// Forms are those in which a database is shared.
func Forms() []string { return []string{string(SharedSchema), string(SharedTable)} }

// participants is the program that is the hotel and the payment service together.
const participants = "participants"

// Programs are the daemons of the form, in the order in which they are started.
func (f Form) Programs() []string {
	if f == SharedTable {
		return []string{"relay", "orchestrator", participants, "reservation"}
	}
	return Daemons
}

// Schema is where the tables of a service lie.
func (f Form) Schema(service string) string {
	if f == SharedSchema {
		return service
	}
	return "public"
}

// listed is the entry of the relay's list for a service's database.
func (f Form) listed(url, service string) string {
	switch {
	case f != SharedSchema:
		return url
	case strings.Contains(url, "?"):
		return url + "&schema=" + f.Schema(service)
	default:
		return url + "?schema=" + f.Schema(service)
	}
}

// definition is the file of the saga's definition.
func (f Form) definition() string {
	if f == SharedTable {
		return "room-reservation-one-service.yaml"
	}
	return "room-reservation.yaml"
}
