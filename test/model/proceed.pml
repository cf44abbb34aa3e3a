/* What the orchestrator begins after each event: proceed.go and order.go of pkg/saga. */

#ifdef JOIN_COUNTS_ONE_SHORT
#define THROUGH(i) (HAS_RESULT(i) || HAS_RESULT(NEIGHBOUR(i)))
#else
#define THROUGH(i) HAS_RESULT(i)
#endif
#define HAS_RESULT(i) (status[i] == SUCCEEDED || TO_CONFIRM(i))

#ifdef NEVER_BEGUN_IS_COMPENSATED
#define TO_CANCEL(i) (WAS_BEGUN(i) || status[i] == PENDING)
#elif defined(UNDER_WAY_IS_NOT_CANCELLED)
#define TO_CANCEL(i) (WAS_BEGUN(i) && status[i] != STARTED)
#else
#define TO_CANCEL(i) WAS_BEGUN(i)
#endif
#define WAS_BEGUN(i) (status[i] == STARTED || status[i] == SUCCEEDED || TO_CONFIRM(i))

#ifdef ALL_ARE_CANCELLED_AT_ONCE
#define TURN(i) true
#else
#define TURN(i) (STAGE(i) + 1 == edge)
#endif

inline confirm() {
	waiting = 0;
	for (k : 0 .. N-1) {
		if
		:: TCC && status[k] == SUCCEEDED -> status[k] = CONFIRMING; send(k, 1); waiting = 1
		:: TCC && status[k] == CONFIRMING -> waiting = 1
		:: else
		fi
	}
}

inline forward() {
	edge = N; /* NextSagaStep: the first stage that is not through */
	for (k : 0 .. N-1) {
		if
		:: !THROUGH(k) && STAGE(k) < edge -> edge = STAGE(k)
		:: else
		fi
	}
	for (k : 0 .. N-1) {
		if
		:: STAGE(k) == edge && status[k] == PENDING -> status[k] = STARTED; send(k, 1)
		:: else
		fi
	}
#ifdef CONFIRM_BEFORE_ALL_HAVE_TRIED
	confirm();
#endif
	if
	:: edge == N ->
		confirm();
		if
		:: !waiting -> saga = COMPLETED
		:: else
		fi
	:: else
	fi
}

inline backward() {
	edge = 0; /* PrevSagaStep: one more than the last stage with anything in effect */
	for (k : 0 .. N-1) {
		if
		:: (TO_CANCEL(k) || status[k] == COMPENSATING) && STAGE(k) + 1 > edge -> edge = STAGE(k) + 1
		:: else
		fi
	}
	for (k : 0 .. N-1) {
		if
		:: TO_CANCEL(k) && TURN(k) -> status[k] = COMPENSATING; send(k, 1)
		:: else
		fi
	}
	if
	:: edge == 0 -> saga = ABORTED
	:: else
	fi
}

inline proceed() {
	before = saga;
	parked = 0;
	for (k : 0 .. N-1) {
		if
		:: park[k] -> parked = 1
		:: else
		fi
	}
	if
	:: OVER
	:: else ->
		if
		:: parked -> saga = PARKED
		:: !parked && failure -> saga = ABORTING; backward()
		:: else -> saga = STARTED; forward()
		fi
	fi;
	printf("    saga: %e\n", saga);
	assert((before != COMPLETED && before != ABORTED) || saga == before || ENDED_IS_ENDED);
	all_or_nothing()
}
