// Package watcher says where a choreography stands: services that work together by facts
// alone, without an orchestrator. It hears the facts that the definitions
// ([saga.Choreography]) expect, and keeps for each course, by the correlation id, which of
// them came (table saga_watch, shown by the view saga_overview). It starts nothing and
// steers nothing: without it the services work as well.
//
// # What becomes of a fact
//
//   - A definition expects it: it is marked in the course, which is begun where there is none.
//     So the first fact that is heard begins it, whichever it is; the one that should have
//     come first is missing then, and is late in its time.
//   - It was heard before: nothing changes.
//   - It comes in another order: where a course stands depends on which facts were heard alone.
//   - No definition expects it, and no course that was begun with an older one: it is ignored.
//     That happens when a definition is taken away, because its bindings stay.
//   - It is older than the retention, and there is no course: it is ignored. The course has
//     ended and is deleted, most likely, and the fact a late copy.
//   - It is no fact (no UUID as message or correlation id, no service, no JSON object): it goes
//     to the quarantine.
//
// Late is a course of which a fact is missing that had to be there; time alone makes it so,
// and the fact that comes ends it. A fact that was lost leaves its course late until somebody
// deletes the row.
//
// # Times
//
// They count from when the first fact was heard, by the clock of the watcher's database. A
// watcher that was away finds the facts in its queue, and calls nobody late for that time.
package watcher
