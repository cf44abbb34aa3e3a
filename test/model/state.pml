/* Everything that there is to know about one saga, wherever it is kept. */

mtype = {
	NONE, PENDING, STARTED, SUCCEEDED, FAILED, CANCELLED, CONFIRMING, CONFIRMED,
	COMPENSATING, COMPENSATED, COMPLETED, ABORTING, ABORTED, PARKED,
	CONFIRM, CANCEL, REQUEST /* are 3, 2 and 1: an mtype counts from its end */
};

#define AT(op, i) (((op) - 1) * N + (i))

/* The orchestrator's row: saga.State. */
mtype saga = STARTED;
bit   failure;
mtype status[N] = PENDING;
byte  attempt[N];
bit   park[N];

#define ENDED (saga == COMPLETED || saga == ABORTED)

/* What can be delivered. A message is committed with the state that it follows from, so
 * there is no moment between the two. It stays when it is delivered: it may come again, at
 * any time, after any other. What never comes is lost. */
bit command[OPS * N]; /* to the participants */
bit yes[OPS * N];     /* succeeded, compensated, confirmed */
bit no[OPS * N];      /* failed */

/* The participants' barrier: saga_barrier. */
mtype row[N] = NONE;  /* of the REQUEST */
bit   cancelled[N];   /* whether there is a row of the CANCEL */
bit   confirmed[N];   /* and of the CONFIRM */
bit   busy[OPS * N];  /* transactions that have entered and run their handler */

/* What the handlers really did, which no rule may look at. */
byte did[N], undid[N], kept[N];

#define IN_FORCE(i) (did[i] > undid[i])

/* After the network has healed, what is delivered is gone and nothing is lost; handlers
 * do not fail and do not refuse what may not be refused. */
#ifdef HEALED
bit healed;
#else
#define healed false
#endif

inline taken(message) {
#ifdef HEALED
	if
	:: healed -> message = 0
	:: else
	fi
#else
	skip
#endif
}
