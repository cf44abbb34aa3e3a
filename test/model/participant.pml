/*
 * A participant: one step's handlers behind the barrier of sql/participant. A transaction
 * enters the barrier and so holds the REQUEST's row, runs its handler, and commits with
 * its answer or rolls back. A process that dies before the commit has rolled back; one
 * that dies after it is given the same command again.
 */

#ifdef ROW_IS_NOT_LOCKED
#define HELD(i) false
#elif TCC
#define HELD(i) (busy[AT(REQUEST, i)] || busy[AT(CANCEL, i)] || busy[AT(CONFIRM, i)])
#else
#define HELD(i) (busy[AT(REQUEST, i)] || busy[AT(CANCEL, i)])
#endif
#define COMES(op, i) (command[AT(op, i)] && !busy[AT(op, i)] && !HELD(i))

#ifdef HEALED
#define REFUSES(i) (!RETRIABLE(i))
#else
#define REFUSES(i) true
#endif

inline answer(what, op, i) {
	printf("participant %d answers %e\n", i, op);
	what = 1;
	busy[AT(op, i)] = 0;
	taken(command[AT(op, i)])
}

inline enter_request(i) {
	if
#ifdef SUCCESS_IS_FORGOTTEN
	:: row[i] == NONE || row[i] == SUCCEEDED -> busy[AT(REQUEST, i)] = 1
#else
	:: row[i] == NONE -> busy[AT(REQUEST, i)] = 1
#ifdef REPETITION_IS_NOT_ANSWERED
	:: row[i] == SUCCEEDED -> taken(command[AT(REQUEST, i)])
#else
	:: row[i] == SUCCEEDED -> answer(yes[AT(REQUEST, i)], REQUEST, i)
#endif
#endif
	:: row[i] == FAILED || row[i] == CANCELLED -> answer(no[AT(REQUEST, i)], REQUEST, i)
	fi
}

inline enter_cancel(i) {
	if
	:: row[i] == NONE ->
#ifndef CANCEL_LEAVES_NO_TOMBSTONE
		row[i] = CANCELLED;
		cancelled[i] = 1;
#endif
		answer(yes[AT(CANCEL, i)], CANCEL, i)
	:: row[i] == FAILED || row[i] == CANCELLED || cancelled[i] -> cancelled[i] = 1; answer(yes[AT(CANCEL, i)], CANCEL, i)
	:: confirmed[i] -> answer(no[AT(CANCEL, i)], CANCEL, i)
	:: else -> busy[AT(CANCEL, i)] = 1
	fi
}

inline enter_confirm(i) {
	if
	:: confirmed[i] -> answer(yes[AT(CONFIRM, i)], CONFIRM, i)
	:: row[i] == SUCCEEDED && !cancelled[i] && !confirmed[i] -> busy[AT(CONFIRM, i)] = 1
	:: else -> answer(no[AT(CONFIRM, i)], CONFIRM, i)
	fi
}

inline commit_request(i) {
	row[i] = SUCCEEDED;
	did_request(i);
	answer(yes[AT(REQUEST, i)], REQUEST, i)
}

inline refuse_request(i) {
#ifndef REFUSAL_IS_FORGOTTEN
	row[i] = FAILED;
#endif
	answer(no[AT(REQUEST, i)], REQUEST, i)
}

inline commit_cancel(i) {
	cancelled[i] = 1;
	did_cancel(i);
	answer(yes[AT(CANCEL, i)], CANCEL, i)
}

inline commit_confirm(i) {
	confirmed[i] = 1;
	did_confirm(i);
	answer(yes[AT(CONFIRM, i)], CONFIRM, i)
}

proctype Participant(byte i) {
end:
	do
	:: d_step { COMES(REQUEST, i) -> enter_request(i) }
	:: d_step { busy[AT(REQUEST, i)] -> commit_request(i) }
	:: d_step { busy[AT(REQUEST, i)] && REFUSES(i) -> refuse_request(i) }
	:: d_step { busy[AT(REQUEST, i)] && !healed -> busy[AT(REQUEST, i)] = 0 }
#ifdef ANSWER_BEFORE_COMMIT
	:: d_step { busy[AT(REQUEST, i)] -> answer(yes[AT(REQUEST, i)], REQUEST, i) }
#endif
	:: d_step { COMES(CANCEL, i) -> enter_cancel(i) }
	:: d_step { busy[AT(CANCEL, i)] -> commit_cancel(i) }
	:: d_step { busy[AT(CANCEL, i)] && !healed -> answer(no[AT(CANCEL, i)], CANCEL, i) }
	:: d_step { busy[AT(CANCEL, i)] && !healed -> busy[AT(CANCEL, i)] = 0 }
#if TCC
	:: d_step { COMES(CONFIRM, i) -> enter_confirm(i) }
	:: d_step { busy[AT(CONFIRM, i)] -> commit_confirm(i) }
	:: d_step { busy[AT(CONFIRM, i)] && !healed -> answer(no[AT(CONFIRM, i)], CONFIRM, i) }
	:: d_step { busy[AT(CONFIRM, i)] && !healed -> busy[AT(CONFIRM, i)] = 0 }
#endif
	od
}
