package demo

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/internal/dev/services"
	"go.example/saga/internal/dev/stack"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	"go.example/saga/pkg/saga/sagayaml"
)

var (
	//go:embed scene_open.sql
	sceneOpenSQL string
	//go:embed scene_free_day.sql
	sceneFreeDaySQL string
	//go:embed scene_sagas.sql
	sceneSagasSQL string
)

// scene shows a definition: it starts a saga of it for each act, follows all to their end and
// compares what is in the tables then with what is expected.
type scene struct {
	definition string // a file of examples/definitions
	extra      *extra // a step that no daemon carries out, if there is one
	byHTTP     bool   // that step is called by HTTP
	told       bool   // a webhook is told when the sagas end
	acts       []*act
	moral      string
}

// act is one saga, and what has to become of it.
type act struct {
	name, story string
	payload     jsonmap.JSONMap // beside the stay and the card
	room        int             // 0 is room 1
	card        string          // the last four digits, 1111 if none
	// When the saga waits in the step at, do is called.
	at     string
	do     func(context.Context, *performance, *act) error
	done   bool
	status saga.Status
	want   effects
	key    string
	id     saga.ID
}

// performance is a scene that is under way.
type performance struct {
	scene
	env     environment
	daemons *stack.Stack
	tale    *story
	web     *web   // where something goes by HTTP
	hook    string // the webhook's name
	def     saga.Definition
	hotel   *pgx.Conn
	payment *pgx.Conn
}

// show is the demo of a pattern that is a definition.
func (s scene) show(ctx context.Context, env environment, out io.Writer) (err error) {
	report := reporter(out)
	defer func() { err = errors.Join(err, env.giveBack(ctx, report)) }()
	p := &performance{scene: s, env: env, tale: &story{out: out, names: map[string]string{}, seen: map[string]int64{}}}
	text, err := os.ReadFile(filepath.Join(env.stack.Root, "examples", "definitions", s.definition))
	if err != nil {
		return fmt.Errorf("read the definition: %w", err)
	}
	if p.def, err = sagayaml.Parse(text); err != nil {
		return fmt.Errorf("%s: %w", s.definition, err)
	}
	fmt.Fprintf(out, "\nThe definition, examples/definitions/%s:\n\n%s\n", s.definition, indented(string(text)))
	if s.byHTTP || s.told {
		if p.web, err = openWeb(); err != nil {
			return err
		}
		defer p.web.close()
		p.env.stack.HTTPTargets = p.web.url
	}
	report("starting relay, orchestrator, hotel, payment and reservation (logs in %s)", env.stack.LogDir)
	if p.daemons, err = stack.Start(ctx, p.env.stack); err != nil {
		return env.notStarted(err)
	}
	defer func() {
		report("stopping the daemons")
		err = errors.Join(err, p.daemons.Stop())
	}()
	for url, conn := range map[string]**pgx.Conn{env.stack.Reservation: &p.tale.conn, env.stack.Hotel: &p.hotel, env.stack.Payment: &p.payment} {
		if *conn, err = pgx.Connect(ctx, url); err != nil {
			return fmt.Errorf("connect to a database of the sample: %w", err)
		}
		defer func() { _ = (*conn).Close(context.WithoutCancel(ctx)) }()
	}
	if s.extra != nil {
		stop, err := s.extra.serve(ctx, env, p.web, s.byHTTP)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	return p.play(ctx)
}

func indented(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ") + "\n"
}

// service is whose sagas these are.
const service = "reservation"

func (p *performance) play(ctx context.Context) error {
	if err := p.start(ctx); err != nil {
		return err
	}
	if err := p.follow(ctx); err != nil {
		return err
	}
	if p.told {
		if err := p.awaitTold(ctx); err != nil {
			return err
		}
	}
	if err := p.tale.table(ctx, "Sagas (view saga_overview; ✓ succeeded, ✗ refused, ↶ compensated, · never sent):", sceneSagasSQL); err != nil {
		return err
	}
	if err := p.check(ctx); err != nil {
		return err
	}
	fmt.Fprintf(p.tale.out, "\nAs promised: %s\n", p.moral)
	return nil
}

// start starts all sagas in one transaction, in which a service would write its own rows too.
func (p *performance) start(ctx context.Context) error {
	if p.byHTTP {
		if err := p.callStep(ctx, p.extra.step); err != nil {
			return err
		}
	}
	if p.told {
		if err := p.addWebhook(ctx); err != nil {
			return err
		}
	}
	store := sagapg.New("", service)
	if _, err := store.ApplyDefinition(ctx, p.tale.conn, p.def); err != nil {
		return fmt.Errorf("apply %s: %w\nIf %s is left from another version, remove it with: make drop", p.definition, err, services.ReservationDatabase)
	}
	var from time.Time
	if err := p.hotel.QueryRow(ctx, sceneFreeDaySQL).Scan(&from); err != nil {
		return fmt.Errorf("find a free day: %w", err)
	}
	fmt.Fprintf(p.tale.out, "\nSagas of %s, started in one transaction:\n", p.def.Name)
	tx, err := p.tale.conn.Begin(ctx)
	if err != nil {
		return fmt.Errorf("start the sagas: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // does nothing after the commit
	for i, a := range p.acts {
		a.key = a.name + "-" + uuid.NewString()[:8]
		p.tale.names[a.key], p.tale.keys = a.name, append(p.tale.keys, a.key)
		fmt.Fprintf(p.tale.out, "  %-4s %s\n", a.name, a.story)
		if a.id, _, err = store.Start(ctx, tx, p.def, p.request(a, from.AddDate(0, 0, 2*i))); err != nil {
			return err
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("start the sagas: %w", err)
	}
	fmt.Fprintf(p.tale.out, "\nWhat the orchestrator records, as it happens:\n")
	return nil
}

func (p *performance) request(a *act, from time.Time) sagapg.StartRequest {
	r := sagapg.StartRequest{BusinessKey: a.key, Payload: a.whole(from)}
	if p.told {
		r.Webhooks = []string{p.hook}
	}
	return r
}

// whole is the payload with a stay of two nights and a card.
func (a *act) whole(from time.Time) jsonmap.JSONMap {
	whole := jsonmap.JSONMap{
		"hotelId": 1, "roomId": max(a.room, 1), "paymentDue": 49900, "cardToken": "tok_" + uuid.NewString(), "cardLast4": "1111",
		"startDate": from.Format(time.DateOnly), "endDate": from.AddDate(0, 0, 2).Format(time.DateOnly),
	}
	if a.card != "" {
		whole["cardLast4"] = a.card
	}
	for name, value := range a.payload {
		whole[name] = value
	}
	return whole
}

// follow tells the news until all sagas have ended, and does what the acts say meanwhile.
func (p *performance) follow(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sagaTime)
	defer cancel()
	tick := time.NewTicker(tellTime)
	defer tick.Stop()
	for {
		if err := p.tale.tellNews(ctx); err != nil {
			return err
		}
		if err := p.doWhatIsDue(ctx); err != nil {
			return err
		}
		var open int
		if err := p.tale.conn.QueryRow(ctx, sceneOpenSQL, p.tale.keys).Scan(&open); err != nil {
			return fmt.Errorf("ask which sagas are under way: %w", err)
		}
		if open == 0 {
			return p.tale.tellNews(ctx)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d sagas have not ended after %v: see the logs", open, sagaTime)
		case <-tick.C:
		}
	}
}

func (p *performance) doWhatIsDue(ctx context.Context) error {
	for _, a := range p.acts {
		if a.do == nil || a.done {
			continue
		}
		var waits bool
		err := p.tale.conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM public.saga_waits WHERE saga_id = $1 AND step = $2)`, uuid.UUID(a.id), a.at).Scan(&waits)
		if err != nil {
			return fmt.Errorf("ask what %s waits for: %w", a.name, err)
		}
		if waits {
			a.done = true
			if err := a.do(ctx, p, a); err != nil {
				return err
			}
		}
	}
	return nil
}
