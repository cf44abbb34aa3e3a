package fault

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack/stacktest"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
)

// foreign is a user for whom others declare: all five programs' permissions at their least.
var foreign = permission{"foreign", "foreign", []string{`^$`, `^(saga\.(commands|events)|amq\.default)$`, `^saga\.(replies|command|events|dead)\.[a-z]+$`}}

// The broker's topology is somebody else's: the five programs use what exists, from their
// start. A queue that has lost its leader tells its consumers nothing, and is noticed.
func TestTopologyOfSomebodyElse(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	n.permit(foreign)
	n.declareAll(foreign.vhost)
	address, err := n.as(foreign).URL(t.Context())
	require.NoError(t, err)
	s := stacktest.StartOn(t, address)
	ids := arrive(t, s, 5).served(t)
	require.Eventually(t, func() bool { return pending(t, s) == 0 }, patience, 50*time.Millisecond)
	requireOutcomes(t, s, ids)
	requireAgreement(t, s)

	// The queue has lost its leader, and says nothing: who consumes it looks for itself.
	leader := `{list_to_atom("` + foreign.vhost + `_` + protocol.CommandQueue("hotel") + `"), node()}`
	n.ctl("eval", `ra:stop_server(quorum_queues, `+leader+`).`)
	start := time.Now()
	_, err = s.Place(t.Context(), stacktest.Night(1, 100, "late", "************1111"), "late")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return s.Health(t.Context(), "hotel") != nil }, patience, 100*time.Millisecond)
	t.Logf("the hotel told after %v: %v", time.Since(start).Round(time.Second), s.Health(t.Context(), "hotel"))
	n.ctl("eval", `ra:restart_server(quorum_queues, `+leader+`).`)
	require.Eventually(t, func() bool { return pending(t, s) == 0 }, patience, 50*time.Millisecond)

	// What is beside is deleted: that stops nothing.
	beside := rabbit.Topology{Queues: []rabbit.Queue{{Name: protocol.QueueUnheard}}}
	require.NoError(t, rabbit.Undeclare(t.Context(), n.guest(foreign.vhost), beside))
	require.NoError(t, s.Restart(t.Context(), "relay"))
	require.NoError(t, s.Ready(t.Context()))
}
