/* The orchestrator's row is written over with an earlier one, while what was sent since is
 * sent: by a second orchestrator that read the row earlier and no version is compared, or
 * by a crash where messages leave before the commit. */
active proctype Setback() {
	mtype saga0, status0[N];
	byte attempt0[N];
	bit failure0, park0[N];
	d_step {
		saga0 = saga;
		failure0 = failure;
		for (k : 0 .. N-1) {
			status0[k] = status[k];
			attempt0[k] = attempt[k];
			park0[k] = park[k]
		};
		k = 0
	};
	d_step {
		saga = saga0;
		failure = failure0;
		for (k : 0 .. N-1) {
			status[k] = status0[k];
			attempt[k] = attempt0[k];
			park[k] = park0[k]
		};
		k = 0
	}
}
