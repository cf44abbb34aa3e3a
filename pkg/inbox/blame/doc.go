// Package blame says which message is to blame for failures, and when it is none but an
// outage. It is pure: what happened comes in, with its time, and what to do comes out. This is
// its table.
//
//	what happened                                    what is done
//	a batch of several fails                         its halves are tried, until what fails is alone
//	a message comes that was delivered before        it is tried alone, within 200 ms
//	a message fails alone                            it is held: tried alone after 100 ms, 200 ms, … 10 s
//	… for a minute in which others committed         it is set aside
//	… for ten minutes, the circuit is not open       it is set aside: nothing else waits
//	one that was set aside before fails alone        it goes back there, circuit or not
//	three different fail alone, nobody commits       the circuit opens
//	no transaction can be begun, three times         the circuit opens
//	a probe fails, or what was under way             the circuit stays open
//	a probe commits, or what was under way           the circuit closes
//	a probe is due and no message waits              the circuit closes
//
// A message's time is counted between its own failures, and only those spans in which
// somebody else has committed count for the minute. A span counts 20 s at most. So a
// message that fails in an outage of less than a minute is never set aside, nor is one
// that fails in a longer one in which nobody commits.
//
// Messages that failed at least twice more while others committed are bad by themselves:
// they open no circuit. Where as many of them as fit into a batch are held, others may
// find no room in the broker's window; then all time counts for their minute, also
// while the circuit is open.
//
// As many as the window holds that nobody has seen failing beside others look like an outage,
// whatever comes behind them. The circuit stays open until one of them is mended, or the
// queue's delivery limit is reached. So the window should be larger than the number of bad
// messages that can come in a row.
//
// # A message that ends the process
//
// What is known of messages is in the memory of the process, for 2,000 of them, by id and
// body. After a restart a minute begins anew, which is safe. It also means that nobody knows
// what has ended the last process. It was one of those that are delivered again. So each of
// these is tried in a transaction of its own, and each process has another order for them. The
// good ones are done in a few restarts, and what ends processes holds up nobody else than by
// the time that a restart takes. It is set aside as a dead letter when the delivery limit is
// reached.
//
// # Tries
//
// What was set aside is put back after 1 min, 2, 4 … 60 min, until 24 h after it was set aside
// first: [Plan]. Package quarantine says for which messages.
package blame
