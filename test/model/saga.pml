/*
 * One saga, its participants, and everything between them that can go wrong. docs/model.md
 * says what is modelled and which rule of pkg/saga each part is; run.sh searches it.
 */
#include "shape.pml"
#include "state.pml"
#include "promise.pml"
#include "orchestrator.pml"
#include "proceed.pml"
#include "participant.pml"

/* EACH makes an option of each step. */
#if N == 2
#define EACH(option) option(0) option(1)
#elif N == 3
#define EACH(option) option(0) option(1) option(2)
#elif N == 4
#define EACH(option) option(0) option(1) option(2) option(3)
#else
#define EACH(option) option(0) option(1) option(2) option(3) option(4)
#endif

/* One consumer of the replies: any reply, in any order, as often as it comes. */
#define TAKE(op, i) \
	:: yes[AT(op, i)] -> step = i; operation = op; good = 1; taken(yes[AT(op, i)]) \
	:: no[AT(op, i)] -> step = i; operation = op; taken(no[AT(op, i)])
#define TAKE_REQUEST(i) TAKE(REQUEST, i)
#define TAKE_CANCEL(i) TAKE(CANCEL, i)
#define TAKE_CONFIRM(i) TAKE(CONFIRM, i)

active proctype Replies() {
	byte step;
	mtype operation;
	bit good;
end:
	do
	:: atomic {
		if
		EACH(TAKE_REQUEST)
		EACH(TAKE_CANCEL)
#if TCC
		EACH(TAKE_CONFIRM)
#endif
		fi;
		d_step {
			printf("reply to %e of step %d, yes %d\n", operation, step, good);
			reply(step, operation, good);
			step = 0;
			operation = 0;
			good = 0;
			proceed()
		}
	}
	od
}

/* Time is not modelled: a timer may fire at any moment at which it is set. */
#ifdef TIMERS_ARE_LOST
#define IS_SET(i) false
#else
#define IS_SET(i) (UNDERWAY(i) && !OVER && saga != PARKED)
#endif
#define DUE(i) :: IS_SET(i) -> step = i

active proctype Timers() {
	byte step;
end:
	do
	:: atomic {
		if
		EACH(DUE)
		fi;
		d_step {
			printf("timer of step %d\n", step);
			timer(step);
			step = 0;
			proceed()
		}
	}
	od
}

#ifndef ALONE
active proctype Operator() {
	bit aborted;
end:
	do
	:: d_step { !aborted && !OVER -> aborted = 1; printf("abort or deadline\n"); abort(); proceed() }
	:: d_step { saga == PARKED -> printf("operator retries\n"); retry(); proceed() }
	od
}
#endif

#ifdef HEALED
#include "healing.pml"
#endif

#ifdef ROW_IS_SET_BACK
#include "setback.pml"
#endif

#ifdef WITNESS
active proctype Witness() {
end:
	d_step { (WITNESS) -> assert(SEEN) }
}
#endif

init {
	d_step { proceed() }; /* Start */
	atomic {
		for (k : 0 .. N-1) {
			run Participant(k)
		};
		k = 0
	}
}
