// Package sagayaml reads saga definitions from YAML and writes them back. Every
// error carries the line it is about, and all faults of a file are reported at
// once. What is left out gets the defaults that [Defaults] states.
//
//	name: room-reservation
//	version: 1
//	steps:
//	  - name: room-booking          # destination: the step's name
//	    request: {timeout: 10s}
//	  - name: payment
//	    request:
//	      timeout: 10s
//	      retry: {initial: 1s, factor: 2, max: 30s, jitter: 0.2, attempts: 5}
//	    cancel:
//	      retry: {attempts: 20}
package sagayaml
