/*
 * The orchestrator: what pkg/saga decides. Inlines have the names of the Go functions that
 * they model. An event is one step, for its transaction is one. An #ifdef is a wrong rule
 * (runs.txt), which the search has to find.
 */

#ifdef ENDED_SAGA_GOES_ON
#define OVER false
#else
#define OVER ENDED
#endif
#define UNDERWAY(i) (status[i] == STARTED || status[i] == CONFIRMING || status[i] == COMPENSATING)
#define TO_CONFIRM(i) (TCC && (status[i] == CONFIRMING || status[i] == CONFIRMED))
#define OPERATION(i) (status[i] == STARTED -> REQUEST : (status[i] == COMPENSATING -> CANCEL : CONFIRM))
#define EXHAUSTED(i) (attempt[i] >= ATTEMPTS)

hidden byte k, edge;
hidden mtype before;
hidden byte parked, waiting, final;

inline settle(i, to) { /* machine.set */
	printf("    step %d: %e\n", i, to);
	status[i] = to;
	attempt[i] = 0;
	park[i] = 0
}

inline put_aside(i) { /* machine.park */
	printf("    step %d is parked\n", i);
	park[i] = 1
}

inline send(i, n) {
	may_send(i);
	printf("    send %e to step %d\n", OPERATION(i), i);
	attempt[i] = n;
	park[i] = 0;
	command[AT(OPERATION(i), i)] = 1
}

inline send_again(i) {
	if
	:: EXHAUSTED(i) -> send(i, ATTEMPTS) /* an operator's; there is no need to count on */
	:: else -> send(i, attempt[i] + 1)
	fi
}

inline spent(i) {
	if
	:: status[i] != STARTED || RETRIABLE(i) -> put_aside(i)
#ifndef UNKNOWN_PIVOT_GOES_BACK
	:: status[i] == STARTED && PIVOT(i) -> put_aside(i)
#else
	:: status[i] == STARTED && PIVOT(i) -> settle(i, FAILED); failure = 1
#endif
	:: else ->
#ifdef UNKNOWN_IS_NOT_COMPENSATED
		settle(i, FAILED);
#endif
		failure = 1
	fi
}

inline later(i) {
	if
	:: EXHAUSTED(i) && !park[i] -> spent(i)
	:: else /* the timer sends it again */
	fi
}

inline timer(i) { /* fireStep */
	if
#ifdef TIMEOUT_IS_FAILURE
	:: status[i] == STARTED && COMPENSATABLE(i) -> settle(i, FAILED); failure = 1
	:: !(status[i] == STARTED && COMPENSATABLE(i)) && EXHAUSTED(i) -> spent(i)
#else
	:: EXHAUSTED(i) -> spent(i)
#endif
	:: else -> send(i, attempt[i] + 1)
	fi
}

inline request_yes(i) {
	if
	:: status[i] == STARTED -> settle(i, SUCCEEDED)
	:: status[i] == PENDING || status[i] == FAILED -> assert(ANSWERS_FIT)
#ifdef COMPENSATED_STEP_REVIVES
	:: status[i] == COMPENSATING || status[i] == COMPENSATED -> settle(i, SUCCEEDED)
#endif
	:: else /* a duplicate, or late */
	fi
}

inline request_no(i) {
	if
#ifdef REFUSED_RETRIABLE_GOES_BACK
	:: status[i] == STARTED -> settle(i, FAILED); failure = 1
#else
	:: status[i] == STARTED && !RETRIABLE(i) -> settle(i, FAILED); failure = 1
	:: status[i] == STARTED && RETRIABLE(i) -> later(i)
#endif
	:: status[i] == PENDING || status[i] == SUCCEEDED || TO_CONFIRM(i) -> assert(ANSWERS_FIT)
	:: else /* a duplicate, or late */
	fi
}

inline answered(i, op, to, done, good) { /* confirmReply, cancelReply */
	if
	:: status[i] == to && good -> settle(i, done)
	:: status[i] == to && !good ->
#ifdef REFUSED_CANCEL_IS_DONE
		if
		:: op == CANCEL -> settle(i, done)
		:: else -> later(i)
		fi
#elif defined(REFUSED_CONFIRM_IS_DONE)
		if
		:: op == CONFIRM -> settle(i, done)
		:: else -> later(i)
		fi
#else
		later(i)
#endif
	:: status[i] == done /* a duplicate, or late */
	:: else -> assert(ANSWERS_FIT)
	fi
}

inline reply(i, op, good) {
	if
	:: OVER
#ifdef PARKED_STEP_IS_DEAF
	:: !OVER && park[i]
#endif
	:: else ->
		if
#ifdef REPLY_IS_CREDITED_TO_THE_CURRENT_STEP
		:: op == REQUEST && good ->
			for (k : 0 .. N-1) {
				if
				:: status[k] == STARTED -> settle(k, SUCCEEDED); break
				:: else
				fi
			}
		:: op == REQUEST && !good -> request_no(i)
#else
		:: op == REQUEST && good -> request_yes(i)
		:: op == REQUEST && !good -> request_no(i)
#endif
		:: op == CANCEL -> answered(i, op, COMPENSATING, COMPENSATED, good)
		:: else -> answered(i, op, CONFIRMING, CONFIRMED, good)
		fi
	fi
}

/* An operator sends again what stands still. */
inline retry() {
	for (k : 0 .. N-1) {
		if
		:: UNDERWAY(k) -> send_again(k)
		:: else
		fi
	}
}

/* What cannot be undone, and may have taken effect. */
inline no_way_back() {
	final = 0;
	for (k : 0 .. N-1) {
		if
		:: TO_CONFIRM(k) -> final = 1
		:: !COMPENSATABLE(k) && (status[k] == STARTED || status[k] == SUCCEEDED) -> final = 1
		:: else
		fi
	}
}

/* An operator aborts the saga, or its deadline passes. */
inline abort() {
	no_way_back();
	if
#ifdef ABORT_PAST_NO_RETURN
	:: !failure && !OVER -> failure = 1
#else
	:: !failure && !OVER && !final -> failure = 1
#endif
	:: else
	fi
}
