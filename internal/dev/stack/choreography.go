package stack

import "path/filepath"

// Choreographed has the services work without an orchestrator, which watches them by a
// definition: that of deploy/, where none is given.
func (s *Settings) Choreographed(definition string) {
	if definition == "" {
		definition = filepath.Join(s.Root, "deploy", "room-reservation-choreography.yaml")
	}
	s.Env = map[string][]string{"orchestrator": {"WATCH_DEFINITIONS=" + definition}}
	for _, name := range []string{"hotel", "payment", "reservation"} {
		s.Env[name] = []string{"CHOREOGRAPHY=true"}
	}
}
