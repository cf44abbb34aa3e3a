package lookup_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"go.example/saga/internal/sample/lookup"
	"go.example/saga/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

type thing struct {
	Name string `json:"name"`
}

func ask(path string, err error) *httptest.ResponseRecorder {
	handler := lookup.Interface[thing]{Title: "Things", Thing: "thing", Log: zap.NewNop(), Get: func(context.Context, uuid.UUID) (thing, error) {
		return thing{Name: "it"}, err
	}}.Handler()
	res := httptest.NewRecorder()
	handler.ServeHTTP(res, httptest.NewRequest(http.MethodGet, path, http.NoBody))
	return res
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	const id = "01890000-0000-7000-8000-000000000000"
	res := ask(lookup.Path("thing", id), nil)
	require.Equal(t, http.StatusOK, res.Code)
	require.JSONEq(t, `{"name": "it"}`, res.Body.String())
	for name, c := range map[string]struct {
		path   string
		err    error
		status int
	}{
		"none":          {lookup.Path("thing", id), lookup.ErrNone, http.StatusNotFound},
		"no id":         {lookup.Path("thing", "17"), nil, http.StatusBadRequest},
		"another form":  {lookup.Path("thing", "{"+id+"}"), nil, http.StatusBadRequest},
		"another path":  {lookup.Path("other", id), nil, http.StatusNotFound},
		"no database":   {lookup.Path("thing", id), &pgconn.ConnectError{}, http.StatusServiceUnavailable},
		"shutting down": {lookup.Path("thing", id), &pgconn.PgError{Code: "57P01"}, http.StatusServiceUnavailable},
		"too slow":      {lookup.Path("thing", id), context.DeadlineExceeded, http.StatusServiceUnavailable},
		"a defect":      {lookup.Path("thing", id), errors.New("password=hunter2"), http.StatusInternalServerError},
	} {
		res := ask(c.path, c.err)
		require.Equal(t, c.status, res.Code, name)
		require.Equal(t, "application/problem+json", res.Header().Get("Content-Type"), name)
		require.NotContains(t, res.Body.String(), "hunter2", name)
	}
}

// The interface describes itself.
func TestDescription(t *testing.T) {
	t.Parallel()
	var described struct {
		Paths map[string]any `json:"paths"`
	}
	require.NoError(t, json.Unmarshal(ask("/openapi.json", nil).Body.Bytes(), &described))
	require.Contains(t, described.Paths, "/api/v1/sagas/{saga}/thing")
}
