package sagapg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/saga"
)

var (
	// ErrNoDefinition: the definition, or this version of it, is not stored.
	ErrNoDefinition = errors.New("no such saga definition")
	// ErrDefinitionDiffers: another plan is stored under this version.
	ErrDefinitionDiffers = errors.New("the stored saga definition is another one")
	// ErrNotUnderstood: the stored plan is not one that this program can follow
	// faithfully, because a newer program or a hand wrote it.
	ErrNotUnderstood = errors.New("the stored saga definition is not understood by this program " +
		"(run one as new as that which stored it, or kill its sagas)")
)

type definitionKey struct {
	name    string
	version int
}

// ApplyDefinition stores the definition and says whether it was new. The same plan
// under the same version again changes nothing; another one is
// [ErrDefinitionDiffers]. Safe to repeat and to run at several places at once.
func (s *Store) ApplyDefinition(ctx context.Context, db DB, def saga.Definition) (stored bool, err error) {
	if err := def.Validate(); err != nil {
		return false, err
	}
	text, hash, err := encode(def)
	if err != nil {
		return false, err
	}
	tag, err := db.Exec(ctx, s.query("definition_store"), def.Name, def.Version, text, hash)
	if err != nil {
		return false, fmt.Errorf("store definition %s version %d (safe to retry): %w", def.Name, def.Version, err)
	}
	if tag.RowsAffected() == 1 {
		return true, nil
	}
	return false, s.checkStored(ctx, db, def, hash)
}

// checkStored tells apart why a definition cannot be used: it is not stored, or
// another one is. Nil means that exactly this one is.
func (s *Store) checkStored(ctx context.Context, db DB, def saga.Definition, hash string) error {
	// Not from the cache: this transaction may yet be rolled back.
	kept, err := s.readDefinition(ctx, db, def.Name, def.Version)
	if err != nil {
		return err
	}
	_, keptHash, err := encode(kept)
	if err != nil {
		return err
	}
	return sameHash(def, hash, keptHash)
}

func sameHash(def saga.Definition, given, kept string) error {
	if given == kept {
		return nil
	}
	return fmt.Errorf("definition %s version %d: %w (hash %.12s, given %.12s): "+
		"a stored version never changes, so raise the version to %d", def.Name, def.Version, ErrDefinitionDiffers,
		kept, given, def.Version+1)
}

// Definition returns one version. A Store reads it from the database once, so do not
// ask inside a transaction that has stored it. The error is [ErrNoDefinition] if it
// is not stored.
func (s *Store) Definition(ctx context.Context, db DB, name string, version int) (saga.Definition, error) {
	if version < 1 {
		return saga.Definition{}, fmt.Errorf("definition %s version %d: %w: versions count from 1", name, version, ErrNoDefinition)
	}
	key := definitionKey{name, version}
	if def, ok := s.definitions.Load(key); ok {
		return def.(saga.Definition), nil
	}
	def, err := s.readDefinition(ctx, db, name, version)
	if err != nil {
		return saga.Definition{}, err
	}
	s.definitions.Store(key, def)
	return def, nil
}

// LatestDefinition returns the highest version that is stored under the name, or
// [ErrNoDefinition].
func (s *Store) LatestDefinition(ctx context.Context, db DB, name string) (saga.Definition, error) {
	return s.readDefinition(ctx, db, name, 0)
}

// readDefinition reads a version; 0 is the latest.
func (s *Store) readDefinition(ctx context.Context, db DB, name string, version int) (saga.Definition, error) {
	label := fmt.Sprintf("definition %s version %d", name, version)
	if version == 0 {
		label = "definition " + name
	}
	var text, hash string
	err := db.QueryRow(ctx, s.query("definition_load"), name, version).Scan(&version, &text, &hash)
	if errors.Is(err, pgx.ErrNoRows) {
		return saga.Definition{}, fmt.Errorf("%s: %w: store it with `orchestrator definition apply FILE`", label, ErrNoDefinition)
	}
	if err != nil {
		return saga.Definition{}, fmt.Errorf("read %s (safe to retry): %w", label, err)
	}
	def, err := decode(name, version, text, hash)
	if errors.Is(err, ErrNotUnderstood) {
		err = fmt.Errorf("%w; run a program as new as the one that stored it, or undo what was changed in its row by hand", err)
	}
	return def, err
}

// DefinitionInfo is one line of the list of definitions.
type DefinitionInfo struct {
	Name      string    `json:"name"`
	Version   int       `json:"version"`
	Steps     int       `json:"steps"`
	Hash      string    `json:"hash"`
	CreatedAt time.Time `json:"createdAt"`
	// Running counts the sagas that follow it and have not ended.
	Running int64 `json:"running"`
}

// ListDefinitions returns every stored version, by name and version.
func (s *Store) ListDefinitions(ctx context.Context, db DB) ([]DefinitionInfo, error) {
	rows, _ := db.Query(ctx, s.query("definition_list"))
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d DefinitionInfo, err error) {
		err = row.Scan(&d.Name, &d.Version, &d.Steps, &d.Hash, &d.CreatedAt, &d.Running)
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("list definitions: %w", err)
	}
	return list, nil
}

// UnknownPlan is a definition that sagas follow which have not ended, and that this
// program cannot follow. They stand still; others are not concerned.
type UnknownPlan struct {
	Name    string
	Version int
	Sagas   int64
	// Err is [ErrNotUnderstood] or [ErrNoDefinition].
	Err error
}

func (u UnknownPlan) String() string {
	return fmt.Sprintf("%d of %s version %d: %v", u.Sagas, u.Name, u.Version, u.Err)
}

// CheckDefinitions reads every definition that a saga follows which has not ended.
func (s *Store) CheckDefinitions(ctx context.Context, db DB) ([]saga.Definition, []UnknownPlan, error) {
	rows, _ := db.Query(ctx, s.query("definition_in_use"))
	used, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (u UnknownPlan, err error) {
		err = row.Scan(&u.Name, &u.Version, &u.Sagas)
		return u, err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("list the definitions in use (safe to retry): %w", err)
	}
	var defs []saga.Definition
	var unknown []UnknownPlan
	for _, u := range used {
		def, err := s.Definition(ctx, db, u.Name, u.Version)
		switch {
		case err == nil:
			defs = append(defs, def)
		case notFollowed(err):
			u.Err = err
			unknown = append(unknown, u)
		default:
			return nil, nil, err
		}
	}
	return defs, unknown, nil
}

// notFollowed says that an error of [Store.Definition] is the plan's, and comes again.
func notFollowed(err error) bool {
	return errors.Is(err, ErrNotUnderstood) || errors.Is(err, ErrNoDefinition)
}

// standIn is put in the place of a plan that this program cannot follow: it has the steps
// that the saga has begun, by name, so that the saga can be read and ended.
func (r readRow) standIn() saga.Definition {
	names := map[string]bool{}
	for name := range r.stepStatus {
		names[name] = true
	}
	for name := range r.waiting {
		names[name] = true
	}
	def := saga.Definition{Name: r.state.Type, Version: r.state.DefinitionVersion}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		def.Steps = append(def.Steps, saga.StepDefinition{Name: name})
	}
	return def
}
