/* The faults end at some moment. What was lost until then is gone. */

inline lost_or_not(message) {
	if
	:: message -> message = 0
	:: true
	fi
}

active proctype Healer() {
	byte at;
	atomic {
		printf("the network heals\n");
		healed = 1;
		for (at : 0 .. OPS * N - 1) {
			lost_or_not(command[at]);
			lost_or_not(yes[at]);
			lost_or_not(no[at])
		};
		at = 0
	}
}

#ifdef ALONE
/* Without an operator the saga ends or is parked, and stays so. */
ltl progress { <>[] (saga == COMPLETED || saga == ABORTED || saga == PARKED) }
#else
/* With one who sends again what is parked, it ends. */
ltl progress { <> (saga == COMPLETED || saga == ABORTED) }

/* Nothing stands still before: this process waits where no end is valid. */
active proctype Customer() {
	ENDED
}
#endif
