package fault

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack"
	"go.example/saga/internal/dev/stack/stacktest"
)

// documentedRights are the statements of docs/roles.md, by the role that they give rights to.
func documentedRights(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/roles.md")
	require.NoError(t, err)
	rights := map[string]string{}
	for _, block := range regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		role := regexp.MustCompile(`USAGE ON SCHEMA public TO (\w+);`).FindStringSubmatch(block[1])
		require.NotNil(t, role, block[1])
		rights[role[1]] = block[1]
	}
	require.Len(t, rights, len(stack.Daemons))
	return rights
}

// The five daemons serve guests under exactly the rights of docs/roles.md, and after each was
// killed. The rooms and the money agree.
func TestUnderLeastRights(t *testing.T) {
	t.Parallel()
	const reservations = 60
	s := stacktest.StartAs(t, documentedRights(t))
	g := arrive(t, s, reservations)
	for i, name := range stack.Daemons {
		g.awaitPlaced(t, (i+1)*reservations/(len(stack.Daemons)+2))
		require.NoError(t, s.Restart(t.Context(), name))
	}
	requireAllWell(t, s, g.served(t))
}

// Each right of the page is needed: without it, the program says so and is not ready.
func TestEachDocumentedRightIsNeeded(t *testing.T) {
	t.Parallel()
	for daemon, taken := range map[string]string{
		"relay":        "GRANT SELECT, UPDATE ON outbox_position TO relay;",
		"orchestrator": "GRANT INSERT ON saga_history, outbox TO orchestrator;",
		"hotel":        "GRANT INSERT ON outbox TO hotel;",
	} {
		t.Run(daemon, func(t *testing.T) {
			rights := documentedRights(t)
			require.Contains(t, rights[daemon], taken)
			rights[daemon] = strings.Replace(rights[daemon], taken, "", 1)
			s := stacktest.LaunchAs(t, rights)
			require.Eventually(t, func() bool {
				err := s.Health(t.Context(), daemon)
				return err != nil && strings.Contains(err.Error(), "GRANT ")
			}, patience, 50*time.Millisecond)
		})
	}
}
