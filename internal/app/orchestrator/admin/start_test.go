package admin_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app/orchestrator/admin"
)

func TestStartASaga(t *testing.T) {
	d := newDesk(t)
	var first, again struct {
		ID      string `json:"id"`
		Started bool   `json:"started"`
	}
	const body = `{"type": "trip", "businessKey": "K-1", "payload": {"amount": 9007199254740993, "cardNo": "` + canary + `"}}`
	code, text := d.call(http.MethodPost, admin.Sagas, body)
	require.Equal(t, http.StatusCreated, code, text)
	require.NoError(t, json.Unmarshal([]byte(text), &first))
	code, text = d.call(http.MethodPost, admin.Sagas, body)
	require.Equal(t, http.StatusOK, code, text)
	require.NoError(t, json.Unmarshal([]byte(text), &again))
	require.Equal(t, first.ID, again.ID)
	require.Equal(t, []bool{true, false}, []bool{first.Started, again.Started})
	var amount string
	require.NoError(t, d.db.QueryRow(t.Context(), `SELECT payload ->> 'amount' FROM saga`).Scan(&amount))
	require.Equal(t, "9007199254740993", amount)

	for _, bad := range []struct {
		body string
		code int
	}{
		{`{"type": "nothing", "businessKey": "K-1"}`, http.StatusNotFound},
		{`{"type": "trip"}`, http.StatusUnprocessableEntity},
		{`{"type": "trip", "businessKey": ""}`, http.StatusUnprocessableEntity},
		{`{"type": "trip", "businessKey": "` + strings.Repeat("k", 256) + `"}`, http.StatusUnprocessableEntity},
		{`{"type": "trip", "businessKey": "K-2", "payload": []}`, http.StatusUnprocessableEntity},
		{`{"type": "trip", "businessKey": "K-2", "step": "x"}`, http.StatusUnprocessableEntity},
	} {
		code, text := d.call(http.MethodPost, admin.Sagas, bad.body)
		require.Equal(t, bad.code, code, "%s: %s", bad.body, text)
	}
	require.NotContains(t, d.log.String(), canary)
}
