// Package sagayaml reads saga definitions from YAML and writes them back. All faults
// of a text are reported at once, each with its line and column and what would be
// right. What is left out gets the defaults below.
//
//	name: trip
//	version: 1
//	mode: saga                        # or tcc; the default is saga
//	deadline: 36h                     # none by default
//	steps:
//	  - parallel: bookings            # these run side by side
//	    steps:
//	      - name: hotel               # destination: the step's name
//	        request: {timeout: 10s}
//	        send: {guests: /payload/guests}
//	        keep: [bookingId]         # short for {bookingId: /bookingId}
//	      - name: flight
//	  - name: approval
//	    kind: signal                  # or delay; the default is command
//	    wait: 24h
//	    on_timeout: refuse            # or proceed, or park; the default is refuse
//	    when: payload.total > 1000.50 # numbers are exact; see package condition
//	  - name: payment
//	    type: pivot                   # or retriable; the default is compensatable
//	    send: {hotel: /outputs/hotel/bookingId}
//	    request:
//	      timeout: 10s
//	      retry: {initial: 1s, factor: 2, max: 30s, jitter: 0.2, attempts: 5}
//
// Writing `group: bookings` at each step is the same as the list under parallel.
// Anchors, aliases and merge keys may share what several steps have in common. The same as a
// JSON Schema, for editors: docs/schema/definition.schema.json.
package sagayaml
