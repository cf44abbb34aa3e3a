// Package webhook tells somebody outside, by HTTP, when a saga ends: the one for whom it was
// started, who has no queue on the broker.
//
// A webhook has a name, a URL and a key, in the table saga_webhook of the sagas' database. A
// definition names those that are told of all its sagas, a start those of one. In the transaction in
// which the saga ends, a message for each is written into the outbox; the relay carries it by
// a call, see [relay.Caller].
//
// # What a receiver gets
//
// A POST as Standard Webhooks 1.0 has it (https://github.com/standard-webhooks/standard-webhooks):
// the headers webhook-id, webhook-timestamp and webhook-signature, and a body with the
// event's type, its time and, as data, what the event on the broker has as its body. The id is the same
// however often it comes. A key is "whsec_" and 24 to 64 bytes in base64. While
// keys are rotated, both sign.
//
// # When it comes again
//
// Any answer but 2xx within 15 s is a failure. It is repeated after 5 s, 5 and 30 min, 2, 5, 10, 14,
// 20 and 24 h, each a tenth more or less, or later where Retry-After asks for that; then it is dead until
// an operator says so. 410 Gone disables the webhook: what was to be told it then, and later, is dead until it is enabled and
// retried. Redirects are not followed; addresses that are private are not dialled unless they
// are allowed, see [httpcall.Targets].
//
// # What a crash can do
//
// A call whose outcome was not written down is made again, under the same id.
package webhook
