package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"go.example/saga/pkg/webhook"
)

// web is what this process serves by HTTP in a demo: a step, and somebody who is told when sagas
// end.
type web struct {
	url    string
	mux    *http.ServeMux
	server *http.Server

	mu   sync.Mutex
	told []string // what the webhook was told, and what was answered
	ends map[string]bool
}

// openWeb takes a free port of this machine.
func openWeb() (*web, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve by HTTP: %w", err)
	}
	w := &web{url: "http://" + listener.Addr().String(), mux: http.NewServeMux(), ends: map[string]bool{}}
	w.server = &http.Server{Handler: w.mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = w.server.Serve(listener) }() // until it is closed
	return w, nil
}

func (w *web) close() { _ = w.server.Close() }

// rudely serves a handler, and gives no answer to each third request, though it is carried out.
func rudely(handler http.Handler) http.Handler {
	var mu sync.Mutex
	n := 0
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		n++
		rude := n%3 == 0
		mu.Unlock()
		if !rude {
			handler.ServeHTTP(w, r)
			return
		}
		handler.ServeHTTP(unheard{http.Header{}}, r)
		panic(http.ErrAbortHandler)
	})
}

// unheard is a response that nobody gets.
type unheard struct{ header http.Header }

func (u unheard) Header() http.Header            { return u.header }
func (u unheard) Write(text []byte) (int, error) { return len(text), nil }
func (u unheard) WriteHeader(int)                {}

// hear is a webhook's receiver. The first thing that it is told it does not take.
func (w *web) hear(out http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	var event struct {
		Type string
		Data struct{ BusinessKey string }
	}
	_ = json.Unmarshal(body, &event)
	w.mu.Lock()
	defer w.mu.Unlock()
	status := http.StatusNoContent
	if len(w.told) == 0 {
		status = http.StatusServiceUnavailable
	} else {
		w.ends[event.Data.BusinessKey] = true
	}
	w.told = append(w.told, fmt.Sprintf("webhook-id %s  %s of %s: answered %d", req.Header.Get("webhook-id"), event.Type, event.Data.BusinessKey, status))
	out.WriteHeader(status)
}

// addWebhook makes a webhook of a name that is this demo's own.
func (p *performance) addWebhook(ctx context.Context) error {
	p.hook = "demo-" + uuid.NewString()[:8]
	p.web.mux.HandleFunc("/told", p.web.hear)
	if _, err := webhook.In(p.tale.conn, "").Add(ctx, p.hook, p.web.url+"/told"); err != nil {
		return err
	}
	fmt.Fprintf(p.tale.out, "==> orchestrator webhook add %s %s/told\n  whsec_…\n", p.hook, p.web.url)
	return nil
}

// awaitTold waits until each end was told, and shows what was.
func (p *performance) awaitTold(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sagaTime)
	defer cancel()
	tick := time.NewTicker(tellTime)
	defer tick.Stop()
	for {
		p.web.mu.Lock()
		missing := ""
		for _, a := range p.acts {
			if !p.web.ends[a.key] {
				missing = a.name
			}
		}
		told := append([]string(nil), p.web.told...)
		p.web.mu.Unlock()
		if missing == "" {
			fmt.Fprintf(p.tale.out, "\nWhat the webhook was told:\n")
			for _, line := range told {
				fmt.Fprintln(p.tale.out, "  "+line)
			}
			return webhook.In(p.tale.conn, "").Remove(ctx, p.hook)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the webhook was not told the end of %s within %v", missing, sagaTime)
		case <-tick.C:
		}
	}
}

// callStep has the definition's step of that name called here, under a version of its own: the
// port is another one each time.
func (p *performance) callStep(ctx context.Context, name string) error {
	for i := range p.def.Steps {
		if step := &p.def.Steps[i]; step.Name == name {
			step.URL = p.web.url + "/" + name
		}
	}
	const next = `SELECT coalesce(max(version), 0) + 1 FROM public.saga_definition WHERE name = $1`
	if err := p.tale.conn.QueryRow(ctx, next, p.def.Name).Scan(&p.def.Version); err != nil {
		return fmt.Errorf("number the definition: %w", err)
	}
	return nil
}
