# The tools are Go programs pinned in tools/go.mod; nothing else need be installed.
# Without cgo, as the daemons are built: what one has compiled serves the others.
LINT := CGO_ENABLED=0 go tool -modfile=tools/go.mod golangci-lint
DEV := CGO_ENABLED=0 go run ./internal/dev
DAEMONS := relay orchestrator reservation hotel payment
FUZZTIME ?= 20s
# A test that hangs must say where before a machine's patience ends.
# Some packages mostly wait, for leases and pauses: two more than there are processors
# run side by side, or the processors wait with them.
# Lint has vetted already, with all of vet's checks.
TESTFLAGS ?= -race -vet=off -timeout=15m -p=$$(($$(getconf _NPROCESSORS_ONLN) + 2))
# The long run of the relay: so many rows by so many writers, and so many kills.
ROWS ?= 1000000
WRITERS ?= 16
KILLS ?= 100
# How many simulated schedules.
SEEDS ?= 1000000

.DEFAULT_GOAL := help
.PHONY: help modules build services demo run test lint fmt fuzz soak hold fault-matrix poison cluster-test versions-test sim model bench-relay bench-saga down drop clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Go downloads modules by HTTPS, for which a minimal Debian lacks the authorities'
# certificates. Every target that runs Go comes by here first.
modules:
	@go list -deps ./internal/dev >/dev/null || { case "$$(go list -deps ./internal/dev 2>&1)" in *x509:*) \
	  echo "Install the package ca-certificates, then run this again: sudo apt-get install ca-certificates" >&2 ;; esac; exit 1; }

build: modules ## Build the five daemons into bin/, static
	CGO_ENABLED=0 go build -trimpath -o bin/ $(addprefix ./cmd/,$(DAEMONS))

services: modules ## Find or start PostgreSQL and RabbitMQ
	$(DEV) services up

demo: modules ## Three hotel reservations, from request to end; PATTERN=name, or SHARED=schema|table, shows another way
	$(DEV) demo $(PATTERN) $(if $(SHARED),--shared '$(SHARED)')

run: modules ## Keep the five daemons in the foreground, for curl and psql
	$(DEV) run

test: services ## Run all tests, with the race detector
	go test $(TESTFLAGS) ./...
	cd examples && go vet -race ./... && go test $(TESTFLAGS) ./...
	cd bench && go vet -race ./... && go test $(TESTFLAGS) ./...

lint: modules ## Check the code
	$(LINT) run

fmt: modules ## Format the code
	$(LINT) fmt

fuzz: modules ## Fuzz each parser for FUZZTIME, 20s unless said otherwise
	@grep -rlE --include='*_test.go' '^func Fuzz' . | while read -r file; do \
	  for target in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/p' "$$file"); do \
	    go test -run='^$$' -fuzz="^$$target$$" -fuzztime=$(FUZZTIME) "./$$(dirname "$$file")" || exit 1; \
	  done; \
	done

soak: services ## Kill the relay KILLS times while ROWS rows by WRITERS writers pass
	ROWS=$(ROWS) WRITERS=$(WRITERS) KILLS=$(KILLS) go test -count=1 -timeout=2h -v -run='^TestRelayUnderKills$$' ./test/fault

hold: services ## Keep the relay, a queue or a participant away, or a handler busy, for minutes
	HOLD=1 go test -count=1 -timeout=30m -v -run='^TestHold' ./test/fault
	SLOW_HANDLER=70s go test -count=1 -timeout=30m -v -run='^TestASlowHandlerBesideFastOnes$$' ./pkg/participant

fault-matrix: services ## Break each table for 30 s with each of ten SQLSTATEs, then one for 5 minutes; an hour
	FAULT_LENGTH=30s go test -count=1 -timeout=3h -v -run='^TestFaults' ./test/fault
	FAULT_LENGTH=5m FAULT_TABLE=booking go test -count=1 -timeout=1h -v -run='^TestFaultsThatLookLikeAMessages$$' ./test/fault

poison: services ## Send bad messages of 49 kinds among a thousand good ones and in outages
	POISON=1000 go test -count=1 -timeout=30m -v -run='^TestBadMessagesAloneAreSetAside$$' ./test/fault

cluster-test: services ## Break a RabbitMQ cluster of three under load, by one address, a list, haproxy; 10 minutes
	CLUSTER=1 go test -count=1 -timeout=30m -v -run='^TestCluster$$' ./test/cluster

versions-test: modules ## Try the sample and the suite on PostgreSQL 15, 17, 18 and RabbitMQ 3.10, 4; an hour; needs root
	go run ./test/versions

sim: modules ## Play SEEDS simulated schedules of sagas, until one breaks an invariant
	go run ./test/sim/run -inbox -seeds $$(( $(SEEDS) / 100 ))
	go run ./test/sim/run -seeds $(SEEDS)

model: ## Search every state of the protocol's model, and refute the wrong rules; needs spin
	@test/model/run.sh

bench-relay: services ## Measure the relay beside its peers, 20 minutes alone on the machine
	cd bench && go run . -page ../docs/benchmarks.md $(BENCHFLAGS)

bench-saga: services ## Measure sagas beside their peers, 13 minutes alone on the machine
	cd bench && go run ./saga -page ../docs/benchmarks-saga.md $(BENCHFLAGS)

down: modules ## Stop the services that make started, and no others
	$(DEV) services down

drop: modules ## Drop the databases and virtual hosts that demo, run and tests made
	$(DEV) services drop

clean: down ## Remove what was built, and the private services' data
	rm -rf bin .local
