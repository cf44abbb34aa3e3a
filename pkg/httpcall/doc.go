// Package httpcall carries commands to participants by HTTP, for the relay: it is its
// [relay.Caller]. A step with transport http is a POST to its URL, and the response is
// published as the reply.
//
// # What a call brings
//
//	2xx but 202                    the reply succeeded, confirmed or compensated; the body, if there is one, is a JSON object, the output
//	409, 422 with a problem whose "outcome" is "failed"   the reply failed: the participant refuses
//	4xx, 5xx with a problem whose "outcome" is "retry"    the reply retry: the saga asks again by its own rules
//	202, 425                       not yet: the same POST again, after Retry-After or a quarter of the time it has taken
//	429, 503                       busy: not taken. Again after Retry-After, with growing pauses; no attempt of the saga is spent
//	connection refused, no such name, no TLS   the same
//	other 4xx, 3xx, a target that is not allowed   refused: the same, and it needs somebody
//	other 409 and 422, 408, 5xx, 2xx with another body, a timeout, a body that ends early   unclear: again with growing pauses, and the attempt's time runs
//	a body of more than 1 MiB      dead: the reply can never be published, and the saga is parked
//
// All calls of a command carry the same Idempotency-Key, its barrier's key. A command whose
// receiver has had it is called until the attempt's timeout; then the orchestrator has sent
// it again, or given up, and this one is done.
//
// # Whom it calls
//
// Only targets that are listed. The address that is dialled is judged, not the name: one that
// is private, of this machine or of the link is refused unless it stands in the list as such
// or private addresses are allowed. Redirects are not followed, and no proxy is used.
//
// # How many at a time
//
// So many calls at a time to one host; sixteen times as many wait for their turn. After five failures in a row a host
// is left alone: for a second, then twice as long and so on up to half a minute; then one call
// tries it. A message for which there is no room comes back when the host should be
// through with those before it, so that a crowd does not ask again and again.
//
// # What a crash can do
//
// A call that was under way is made again, with the same key.
package httpcall
