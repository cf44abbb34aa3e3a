package services

import "fmt"

// Prefix starts the name of every database and virtual host that the project
// creates or drops.
const Prefix = "saga_"

// Mark is the description of every virtual host and the comment on every database
// that the project makes. A name alone proves nothing: somebody may have a saga_demo
// of their own. What does not bear the mark is neither used, changed nor dropped.
const Mark = "saga: made by its make, removed by make drop"

// Foreign is the error for something that bears our name and not our mark.
type Foreign struct {
	kind string // "virtual host" or "database"
	name string
	drop string // the command that removes it
}

func (f Foreign) Error() string {
	return fmt.Sprintf(`%s %s exists and is not marked as made by this project, so it is left alone.
If nobody needs it, remove it, then run this again: %s`, f.kind, f.name, f.drop)
}

func foreignVhost(name string) Foreign {
	return Foreign{kind: "virtual host", name: name, drop: "rabbitmqctl delete_vhost " + name}
}

func foreignDatabase(name string) Foreign {
	return Foreign{kind: "database", name: name, drop: "DROP DATABASE " + name}
}
