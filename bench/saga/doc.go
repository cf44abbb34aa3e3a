// Command saga measures sagas as this system runs them beside plain transactions
// and what else one could use, and says whether it keeps its bars.
//
// All carry out the same orders with the sample's SQL, as it is for all commands of a
// batch or as it is for one order, in three databases of one server, in turns within
// one run; after each run the three databases are compared. docs/benchmarks-saga.md says
// how each contender is set up and holds the figures of the last whole run.
//
// It needs the servers that the tests need, on the same Linux machine and as a user
// who may look at their processes and has all rights in the databases that are made;
// what cannot be measured is reported as n/a and misses its bar.
package main
