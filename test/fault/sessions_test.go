package fault

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack/stacktest"
)

// oddSettings are defaults of a database that change what a text or a statement means.
var oddSettings = []string{
	"standard_conforming_strings = off", "datestyle = 'SQL, DMY'", "intervalstyle = 'sql_standard'", "timezone = 'Asia/Kathmandu'",
	"bytea_output = 'escape'", "extra_float_digits = -15", "transform_null_equals = on", "array_nulls = off",
	"default_transaction_isolation = 'serializable'", "default_transaction_deferrable = on", "quote_all_identifiers = on",
	"check_function_bodies = off", "row_security = off", "xmloption = 'document'", "backslash_quote = on", "synchronous_commit = on",
	"plan_cache_mode = 'force_custom_plan'", "search_path = 'hostile, public'",
}

// hostile is a schema in front of ours, which has relations and functions of our names and
// of those that we call, made for arguments that fit as well.
const hostile = `
	CREATE SCHEMA hostile;
	CREATE TABLE hostile.outbox (id text); CREATE TABLE hostile.saga (id text); CREATE TABLE hostile.saga_history (id text);
	CREATE TABLE hostile.outbox_position (id text); CREATE TABLE hostile.outbox_parked (id text); CREATE TABLE hostile.saga_barrier (id text);
	CREATE TABLE hostile.saga_service (id text); CREATE TABLE hostile.saga_definition (id text); CREATE TABLE hostile.inbox_quarantine (id text);
	CREATE FUNCTION hostile.wrong() RETURNS text LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION 'a function of another schema was called'; END $f$;
	CREATE FUNCTION hostile.outbox_shard(a text, b integer) RETURNS integer LANGUAGE sql AS $f$ SELECT hostile.wrong()::integer $f$;
	CREATE FUNCTION hostile.format(a text, b text) RETURNS text LANGUAGE sql AS $f$ SELECT hostile.wrong() $f$;
	CREATE FUNCTION hostile.format(a text, b name) RETURNS text LANGUAGE sql AS $f$ SELECT hostile.wrong() $f$;
	CREATE FUNCTION hostile.octet_length(a varchar) RETURNS integer LANGUAGE sql AS $f$ SELECT hostile.wrong()::integer $f$;
	CREATE FUNCTION hostile.concat_ws(a text, b text, c text) RETURNS text LANGUAGE sql AS $f$ SELECT hostile.wrong() $f$;
	CREATE FUNCTION hostile.jsonb_build_object(a text, b text) RETURNS jsonb LANGUAGE sql AS $f$ SELECT hostile.wrong()::jsonb $f$;
	CREATE FUNCTION hostile.jsonb_build_object(a text, b jsonb) RETURNS jsonb LANGUAGE sql AS $f$ SELECT hostile.wrong()::jsonb $f$;
	CREATE FUNCTION hostile.jsonb_build_object(a text, b timestamptz) RETURNS jsonb LANGUAGE sql AS $f$ SELECT hostile.wrong()::jsonb $f$;
	CREATE FUNCTION hostile.hashtextextended(a text, b integer) RETURNS bigint LANGUAGE sql AS $f$ SELECT hostile.wrong()::bigint $f$;
	CREATE FUNCTION hostile.to_jsonb(a text) RETURNS jsonb LANGUAGE sql AS $f$ SELECT hostile.wrong()::jsonb $f$;
	CREATE FUNCTION hostile.same(a bigint, b integer) RETURNS boolean LANGUAGE sql AS $f$ SELECT hostile.wrong()::boolean $f$;
`

// Nothing depends on what a database's sessions are set to.
func TestSagasInOddSessions(t *testing.T) {
	t.Parallel()
	s := stacktest.StartAfter(t, func(s *stacktest.Stack) {
		for _, pool := range []*pgxpool.Pool{s.Reservation, s.Hotel, s.Payment} {
			_, err := pool.Exec(t.Context(), hostile)
			require.NoError(t, err)
			name := pgx.Identifier{pool.Config().ConnConfig.Database}.Sanitize()
			for _, setting := range oddSettings {
				_, err := pool.Exec(t.Context(), "ALTER DATABASE "+name+" SET "+setting)
				require.NoError(t, err, setting)
			}
		}
	})
	for _, db := range []**pgxpool.Pool{&s.Reservation, &s.Hotel, &s.Payment} {
		*db = plain(t, *db)
	}
	ids := arrive(t, s, many).served(t)
	recovered(t, s, ids, time.Now())
}

// plain is a pool of sessions with the usual settings, for the test's own questions.
func plain(t *testing.T, pool *pgxpool.Pool) *pgxpool.Pool {
	t.Helper()
	cfg := pool.Config().Copy()
	for key, value := range map[string]string{
		"search_path": "public", "standard_conforming_strings": "on", "datestyle": "ISO", "timezone": "UTC", "bytea_output": "hex",
		"transform_null_equals": "off", "default_transaction_isolation": "read committed", "extra_float_digits": "1",
	} {
		cfg.ConnConfig.RuntimeParams[key] = value
	}
	own, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(own.Close)
	return own
}
