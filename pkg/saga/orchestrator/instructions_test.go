package orchestrator

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// withApproval is a plan that waits for a signal first.
func withApproval() saga.Definition {
	def := plan()
	def.Name = "approved"
	def.Steps = append([]saga.StepDefinition{
		{Name: "approval", Kind: saga.Signal, Type: saga.Compensatable, Wait: time.Hour, OnTimeout: saga.TimeoutRefuses},
	}, def.Steps...)
	return def
}

func (b *bench) instruct(i protocol.Instruction) inbox.Delivery {
	b.Helper()
	m, err := protocol.InstructionMessage(testenv.Service, i)
	require.NoError(b, err)
	return inbox.Delivery{MessageID: uuid.NewString(), Type: m.Type, ContentType: m.ContentType, Headers: m.Headers, Body: m.Payload}
}

func begin(kind, key string) protocol.Instruction {
	return protocol.Instruction{Type: kind, BusinessKey: key, Payload: jsonmap.JSONMap{"key": key}}
}

func approve(key string) protocol.Instruction {
	return protocol.Instruction{Type: "approved", BusinessKey: key, Signal: &saga.Signalled{Step: "approval", Output: jsonmap.JSONMap{"by": "ada"}, Who: "ada"}}
}

// A saga is started once for its key, whether the copies come together or later, and beside
// replies to others.
func TestInstructionsToStart(t *testing.T) {
	b := setup(t)
	other := b.start(1)[0]
	first := b.instruct(begin("trip", "a"))
	require.Empty(t, b.handle(first, b.answer(other, "hotel", saga.Request, saga.OutcomeSucceeded), first, b.instruct(begin("trip", "b"))))
	require.Empty(t, b.handle(first, b.instruct(begin("trip", "a")), b.instruct(begin("trip", "c"))))
	require.Equal(t, 3, b.count(`SELECT count(*) FROM saga WHERE business_key IN ('a', 'b', 'c') AND payload ->> 'key' = business_key AND status = 'STARTED'`))
	require.Equal(t, 4, b.count(`SELECT count(*) FROM saga`))
	require.Equal(t, 3, b.count(`SELECT count(*) FROM outbox o JOIN saga s ON o.aggregate_id = s.id::text WHERE s.business_key IS NOT NULL AND o.type = 'hotel.REQUEST'`))
	require.Equal(t, "STARTED REQUEST flight 1", b.status(other))
	b.sound()
}

// A signal finds its saga by the key, also when the start is in the same batch or the step is
// not reached.
func TestInstructionsToSignal(t *testing.T) {
	b := setup(t)
	_, err := b.store.ApplyDefinition(b.ctx, b.db, withApproval())
	require.NoError(t, err)
	require.Empty(t, b.handle(b.instruct(approve("a")), b.instruct(begin("approved", "a")), b.instruct(begin("approved", "b"))))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga WHERE business_key = 'a' AND outputs -> 'approval' ->> 'by' = 'ada' AND waiting ? 'hotel'`))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga_history WHERE kind = 'signal' AND who = 'ada'`))
	no := approve("b")
	no.Signal.Refused, no.Signal.Reason, no.Signal.Who = true, "no credit", ""
	refusal := b.instruct(no)
	require.Empty(t, b.handle(refusal, refusal), "one that comes again is too late, and harms nobody")
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga WHERE business_key = 'b' AND status = 'ABORTED' AND failure ->> 'class' = 'refused'`))
	require.Equal(t, 2, b.count(`SELECT count(*) FROM saga_history WHERE kind = 'signal' AND who = 'message ' || $1::text`, refusal.MessageID))
	b.sound()
}

// What cannot be carried out is set aside with its reason, alone, and done when it can be.
func TestInstructionsThatCannotBeCarriedOut(t *testing.T) {
	b := setup(t)
	early, signal := b.instruct(begin("approved", "a")), b.instruct(approve("a"))
	noStep := b.instruct(protocol.Instruction{Type: "trip", BusinessKey: "t", Signal: &saga.Signalled{Step: "hotel"}})
	garbage := b.instruct(begin("trip", "x"))
	garbage.Body = []byte(`{"key": ""}`)
	long := approve("t")
	long.Signal.Reason = strings.Repeat("x", maxReason+1)
	rejected := reasons(b.handle(early, b.instruct(begin("trip", "t")), signal, noStep, garbage, b.instruct(long)))
	require.Equal(t, "unknown definition", rejected[0])
	require.Equal(t, "unknown saga", rejected[2])
	require.Equal(t, "the saga waits for no such signal", rejected[3])
	require.Equal(t, "not an instruction: key: is missing or empty", rejected[4])
	require.Contains(t, rejected[5], "reason has 1001 bytes")
	require.Len(t, rejected, 5)
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga`))

	_, err := b.store.ApplyDefinition(b.ctx, b.db, withApproval())
	require.NoError(t, err)
	require.Empty(t, b.handle(signal, early))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga WHERE type = 'approved' AND waiting ? 'hotel'`))
	b.sound()
}

// Somebody else starts the same saga in a transaction that is under way: the batch waits, fails,
// and finds the saga when it is repeated.
func TestAnInstructionMeetsAStart(t *testing.T) {
	b := setup(t)
	tx, err := b.db.Begin(b.ctx)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(b.ctx) }()
	_, _, err = b.store.Start(b.ctx, tx, plan(), sagapg.StartRequest{BusinessKey: "a"})
	require.NoError(t, err)
	d := b.instruct(begin("trip", "a"))
	done := make(chan error)
	e := b.engine()
	go func() {
		done <- pgx.BeginFunc(b.ctx, b.db, func(tx pgx.Tx) error {
			_, err := e.Handle(b.ctx, tx, []inbox.Delivery{d})
			return err
		})
	}()
	require.Eventually(t, func() bool {
		return b.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 1
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, tx.Commit(b.ctx))
	require.ErrorContains(t, <-done, "a saga trip was started under the same business key before")
	require.Empty(t, b.handle(d))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga`))
	b.sound()
}

// A start by an operator is one of the latest version, once for its key.
func TestStart(t *testing.T) {
	b := setup(t)
	second := plan()
	second.Version = 2
	_, err := b.store.ApplyDefinition(b.ctx, b.db, second)
	require.NoError(t, err)
	e := b.engine()
	id, started, err := e.Start(b.ctx, "trip", sagapg.StartRequest{BusinessKey: "a"})
	require.NoError(t, err)
	require.True(t, started)
	again, started, err := e.Start(b.ctx, "trip", sagapg.StartRequest{BusinessKey: "a"})
	require.NoError(t, err)
	require.False(t, started)
	require.Equal(t, id, again)
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga WHERE definition_version = 2`))
	_, _, err = e.Start(b.ctx, "nothing", sagapg.StartRequest{BusinessKey: "a"})
	require.ErrorIs(t, err, sagapg.ErrNoDefinition)
	for _, key := range []string{"a\x00", "\xff", strings.Repeat("k", 256)} {
		_, _, err = e.Start(b.ctx, "trip", sagapg.StartRequest{BusinessKey: key})
		require.ErrorIs(t, err, ErrEvent)
	}
	b.sound()
}
