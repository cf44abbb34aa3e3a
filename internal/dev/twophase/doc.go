// Package twophase shows two-phase commit as the counter-example of the saga: one act in
// three databases, whose coordinator is killed with SIGKILL at the worst moments; how long
// others wait for the rows; and how what is in doubt is resolved.
//
// It works in databases of its own, and leaves nothing prepared behind: a transaction that
// is forgotten there would hold its locks for ever, and keep VACUUM from its work.
package twophase
