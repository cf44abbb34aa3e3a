package sagayaml

import "go.example/saga/pkg/saga"

// policy reads the rules of one operation over its defaults.
func (r *reader) policy(v value, p saga.Policy) saga.Policy {
	m := r.keys(v, "timeout", "retry_for", "retry")
	r.duration(m["timeout"], &p.Timeout)
	r.duration(m["retry_for"], &p.RetryFor)
	m = r.keys(m["retry"], "initial", "factor", "max", "jitter", "attempts")
	r.duration(m["initial"], &p.Retry.Initial)
	r.number(m["factor"], &p.Retry.Factor)
	r.duration(m["max"], &p.Retry.Max)
	r.number(m["jitter"], &p.Retry.Jitter)
	r.whole(m["attempts"], &p.Retry.Attempts)
	return p
}
