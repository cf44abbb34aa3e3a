package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

const (
	// migratePage is how many sagas are looked for at once: each look reads all that run.
	migratePage = 10_000
	// keptShown is how many sagas are named for each reason.
	keptShown = 5
)

// Migration is what an operator wants to be moved: the sagas of a definition that have
// not ended and follow another version, to the version To.
type Migration struct {
	sagapg.OtherVersions

	Who string
	// DryRun finds out what would happen, and writes nothing.
	DryRun bool
}

// Migrated is how a migration went, or would go.
type Migrated struct {
	Moved int `json:"moved"`
	// Kept are the sagas that stay on their version, by the reason.
	Kept []Kept `json:"kept"`
}

// Kept are sagas that do not fit the other version, all for the same reason.
type Kept struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
	// First are the ids of some of them, the oldest.
	First []string `json:"first"`
}

// Stayed is how many sagas were kept.
func (m *Migrated) Stayed() int {
	stayed := 0
	for _, k := range m.Kept {
		stayed += k.Count
	}
	return stayed
}

func (m *Migrated) keep(id saga.ID, reason string) {
	i := slices.IndexFunc(m.Kept, func(k Kept) bool { return k.Reason == reason })
	if i < 0 {
		i = len(m.Kept)
		m.Kept = append(m.Kept, Kept{Reason: reason})
	}
	k := &m.Kept[i]
	k.Count++
	if len(k.First) < keptShown {
		k.First = append(k.First, uuid.UUID(id).String())
	}
}

// Migrate moves each of the sagas as [saga.MigrateTo] does, or leaves it where it is and
// counts the reason, in transactions of at most 100, and calls progress after each. Both
// versions have to be stored, else the error is [sagapg.ErrNoDefinition]; it is
// [ErrEvent] where Who cannot be kept in the history. With an error too the result is of
// what was done, and repeating is safe: what was moved is not found again.
//
// A dry run locks each saga for a moment and judges it in the same way.
func (e *Engine) Migrate(ctx context.Context, m Migration, progress func(Migrated)) (Migrated, error) {
	result := Migrated{Kept: []Kept{}}
	to, err := e.target(ctx, m)
	if err != nil {
		return result, err
	}
	for after := (saga.ID{}); ; {
		ids, err := e.Store.OnOtherVersion(ctx, e.DB, m.OtherVersions, after, migratePage)
		if err != nil || len(ids) == 0 {
			return result, err
		}
		for batch := range slices.Chunk(ids, bulkBatch) {
			if err := e.migrateBatch(ctx, m, to, slices.Clone(batch), &result); err != nil {
				return result, fmt.Errorf("migrate the sagas of %s to version %d, %d of them moved (safe to repeat): %w",
					m.Name, m.To, result.Moved, err)
			}
			progress(result)
		}
		after = ids[len(ids)-1]
	}
}

// target reads the version to go to, and holds that the one to come from is there.
func (e *Engine) target(ctx context.Context, m Migration) (saga.Definition, error) {
	if err := checkWords(m.Who, "", "", nil); err != nil {
		return saga.Definition{}, fmt.Errorf("%w: %w", ErrEvent, err)
	}
	if m.From != 0 {
		if _, err := e.Store.Definition(ctx, e.DB, m.Name, m.From); err != nil {
			return saga.Definition{}, err
		}
	}
	return e.Store.Definition(ctx, e.DB, m.Name, m.To)
}

// migrateBatch leaves a saga out that cannot be read or written, and moves the others.
func (e *Engine) migrateBatch(ctx context.Context, m Migration, to saga.Definition, ids []saga.ID, result *Migrated) error {
	for len(ids) > 0 {
		moved, refusals, err := e.migrate(ctx, m, to, ids)
		var alone *sagapg.SagaError
		switch {
		case errors.As(err, &alone) && slices.Contains(ids, alone.ID):
			ids = slices.DeleteFunc(ids, func(id saga.ID) bool { return id == alone.ID })
			result.keep(alone.ID, alone.Err.Error())
			continue
		case err != nil:
			return err
		}
		result.Moved += moved
		for _, r := range refusals {
			result.keep(r.ID, r.Err.Error())
		}
		return nil
	}
	return nil
}

// migrate moves those of the sagas that can be moved, in one transaction.
func (e *Engine) migrate(ctx context.Context, m Migration, to saga.Definition, ids []saga.ID) (moved int, refusals []sagapg.SagaError, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.timing.batch)
	defer cancel()
	tx, err := sagapg.Begin(ctx, e.DB)
	if err != nil {
		return 0, nil, fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // does nothing after the commit
	loaded, now, err := e.Store.Load(ctx, tx, ids)
	if err != nil {
		return 0, nil, err
	}
	var changes []sagapg.Change
	for _, l := range loaded {
		if l.State.Status.Terminal() || l.State.DefinitionVersion == m.To {
			continue // it ended, or was moved, since it was found
		}
		t, err := saga.Transition{}, l.Unknown
		if err == nil {
			t, err = saga.MigrateTo(l.Definition, to, l.State, m.Who, now)
		}
		if err != nil {
			refusals = append(refusals, sagapg.SagaError{ID: l.State.ID, Err: err})
			continue
		}
		changes = append(changes, sagapg.Change{t})
	}
	if m.DryRun {
		return len(changes), refusals, nil
	}
	if err := e.Store.Save(ctx, tx, changes); err != nil {
		return 0, nil, err
	}
	if err := tx.Commit(ctx); err != nil {
		return 0, nil, fmt.Errorf("commit: %w", err)
	}
	for _, change := range changes {
		e.tell(change[0])
	}
	return len(changes), refusals, nil
}
