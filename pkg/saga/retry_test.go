package saga_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagayaml"
)

// Under the rules of a definition that says nothing, a participant that answers retry
// for half an hour keeps no saga from its end.
func TestABadHalfHourAbortsNothing(t *testing.T) {
	def, err := sagayaml.Parse([]byte("{name: trip, version: 1, steps: [{name: hotel}]}"))
	require.NoError(t, err)
	now := epoch
	tr, err := saga.Start(def, saga.StartParams{ID: saga.ID{1}}, now)
	require.NoError(t, err)
	mended := epoch.Add(30 * time.Minute)
	reply := saga.Reply{Step: "hotel", Operation: saga.Request, Outcome: saga.OutcomeRetry}
	for now.Before(mended) {
		reply.Attempt = tr.Next.Steps[0].Attempt
		tr = saga.Step(def, tr.Next, reply, now)
		require.Equal(t, saga.StatusStarted, tr.Next.Status)
		require.Empty(t, tr.Effects)
		require.LessOrEqual(t, tr.Next.WakeAt().Sub(now), time.Minute, "the pauses are capped")
		now = tr.Next.WakeAt()
		tr = saga.Step(def, tr.Next, saga.Timer{}, now)
		require.Len(t, tr.Effects, 1)
	}
	require.Less(t, tr.Next.Steps[0].Attempt, 100)
	reply.Outcome = saga.OutcomeSucceeded
	require.Equal(t, saga.StatusCompleted, saga.Step(def, tr.Next, reply, now).Next.Status)
}

// Silence uses up the attempts and retry the time for it, whatever comes in between:
// neither shortens the other, and both end.
func TestSilenceAndRetryAreBoundedApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		def := threeSteps
		policy := def.Steps[0].Request
		now := epoch
		tr, err := saga.Start(def, saga.StartParams{ID: saga.ID{1}}, now)
		require.NoError(t, err)
		silent, paused, sent := 0, time.Duration(0), 1
		for tr.Next.Failure == nil {
			require.Equal(t, sent, tr.Next.Steps[0].Attempt)
			if rapid.IntRange(0, 9).Draw(t, "answered") == 0 {
				silent++
			} else {
				retry := saga.Reply{Step: "a", Operation: saga.Request, Outcome: saga.OutcomeRetry, Attempt: sent}
				tr = saga.Step(def, tr.Next, retry, now)
				if tr.Next.Failure != nil {
					break
				}
				paused += tr.Next.WakeAt().Sub(now)
				require.Equal(t, saga.Duplicate, saga.Step(def, tr.Next, retry, now).Entry.Disposition)
			}
			now = tr.Next.WakeAt()
			tr = saga.Step(def, tr.Next, saga.Timer{}, now)
			sent++
		}
		switch class := tr.Next.Failure.Class; class {
		case saga.FailureUnknown:
			require.Equal(t, policy.Retry.Attempts, silent)
		default:
			require.Equal(t, saga.FailureUnavailable, class)
			require.Equal(t, policy.RetryFor, paused)
			require.Less(t, silent, policy.Retry.Attempts)
		}
		require.Equal(t, saga.StepCompensating, tr.Next.Steps[0].Status)
	})
}
