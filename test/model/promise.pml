/*
 * What must never be otherwise. A promise is named by a bit that is always 0, so that the
 * verifier says by name which one was broken.
 */

hidden byte ALL_OR_NOTHING, ONCE, REVERSE_ORDER, NO_WAY_BACK, ENDED_IS_ENDED, ONLY_WHAT_BEGAN, ANSWERS_FIT, SEEN;

hidden byte c;

/* all_or_nothing holds after every change of the saga or of an effect, so that nothing may
 * take effect late either. */
inline all_or_nothing() {
	for (c : 0 .. N-1) {
		assert(saga != COMPLETED || (did[c] == 1 && undid[c] == 0 && kept[c] == TCC) || ALL_OR_NOTHING);
		assert(saga != ABORTED || (did[c] == undid[c] && kept[c] == 0) || ALL_OR_NOTHING)
	};
	c = 0 /* a d_step may not end with a loop */
}

/* did_request: a step takes effect once, and on top of all the stages before it. */
inline did_request(i) {
	did[i]++;
	printf("participant %d has done its step\n", i);
	assert(did[i] == 1 || ONCE);
	for (c : 0 .. N-1) {
		assert(STAGE(c) >= STAGE(i) || IN_FORCE(c) || REVERSE_ORDER)
	}
	all_or_nothing()
}

/* did_cancel: what is undone was in force, nothing of a later stage is, and nothing of the
 * saga is final. */
inline did_cancel(i) {
	undid[i]++;
	printf("participant %d has undone its step\n", i);
	assert(undid[i] == 1 || ONCE);
	for (c : 0 .. N-1) {
		assert(STAGE(c) <= STAGE(i) || !IN_FORCE(c) || REVERSE_ORDER);
		assert(COMPENSATABLE(c) || !IN_FORCE(c) || NO_WAY_BACK);
		assert(!kept[c] || NO_WAY_BACK)
	}
	all_or_nothing()
}

/* did_confirm: what becomes final is in force, and so is all the rest. */
inline did_confirm(i) {
	kept[i]++;
	printf("participant %d has made its step last\n", i);
	assert(kept[i] == 1 || ONCE);
	for (c : 0 .. N-1) {
		assert(IN_FORCE(c) || NO_WAY_BACK)
	}
	all_or_nothing()
}

/* may_send: nothing is sent for a saga that has ended, only what can be undone is
 * cancelled, and only what was begun. */
inline may_send(i) {
	assert(!ENDED || ENDED_IS_ENDED);
	assert(status[i] != COMPENSATING || COMPENSATABLE(i) || NO_WAY_BACK);
	assert(status[i] != COMPENSATING || healed || command[AT(REQUEST, i)] || ONLY_WHAT_BEGAN)
}
