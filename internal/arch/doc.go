// Package arch holds the tests of the project's structure: which package may
// reach which, and what the pure core may not do. The linter says part of this
// while a line is being written; these tests see the whole closure of imports.
package arch
