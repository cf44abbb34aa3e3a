// Command bench measures the relay against the broker's limit and against the
// libraries that do the same work, and says whether it keeps its bars.
//
// All that is compared runs in turns within one run, with the same messages, over
// the same kinds of queues and against the same servers; every contender is a
// process of its own. A drain is timed by counting the queue, the same for all,
// and begins with its first twentieth: connecting and cold caches are nobody's
// rate. docs/benchmarks.md says how each contender is set up and holds the figures
// of the last whole run.
//
// It needs the servers that the tests need, on the same Linux machine and as a
// user who may look at their processes; what cannot be measured is reported as
// n/a and misses its bar. It is a module of its own, so that the peers are no
// dependencies of the relay.
package main
