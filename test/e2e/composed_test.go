package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack/stacktest"
)

// A reservation with its parts, asked of three services under the rights of docs/roles.md.
// While the hotel is away the rest comes; when it is back the answer is what it was.
func TestComposedAnswer(t *testing.T) {
	t.Parallel()
	s, _ := stacktest.StartAsRoles(t)
	id, err := s.Place(t.Context(), stacktest.Night(1, 1, "ada", "************1111"), "composed")
	require.NoError(t, err)
	type answer struct {
		Status  string
		Parts   map[string]map[string]any
		Missing []struct{ Part, Why string }
	}
	ask := func(ifNoneMatch string) (status int, tag string, got answer) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
			s.URL()+"/api/v1/reservations/"+id+"?expand=booking,payment,saga", http.NoBody)
		require.NoError(t, err)
		req.Header.Set("If-None-Match", ifNoneMatch)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer func() { _ = res.Body.Close() }()
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		if res.StatusCode == http.StatusOK {
			require.NoError(t, json.Unmarshal(text, &got), string(text))
		}
		return res.StatusCode, res.Header.Get("ETag"), got
	}
	var tag string
	var got answer
	require.Eventually(t, func() bool {
		_, tag, got = ask("")
		return got.Status == "SUCCEED" && tag != ""
	}, time.Minute, 20*time.Millisecond)
	require.Equal(t, "ACTIVE", got.Parts["booking"]["state"])
	require.EqualValues(t, 12500, got.Parts["payment"]["charged"])
	require.Equal(t, "COMPLETED", got.Parts["saga"]["status"])
	status, _, _ := ask(tag)
	require.Equal(t, http.StatusNotModified, status)

	require.NoError(t, s.Halt("hotel"))
	status, none, got := ask(tag)
	require.Equal(t, http.StatusOK, status)
	require.Empty(t, none)
	require.Len(t, got.Parts, 2)
	require.Len(t, got.Missing, 1)
	require.Equal(t, "booking", got.Missing[0].Part)

	require.NoError(t, s.Restart(t.Context(), "hotel"))
	require.Eventually(t, func() bool {
		status, _, _ := ask(tag)
		return status == http.StatusNotModified
	}, time.Minute, 50*time.Millisecond)
}
