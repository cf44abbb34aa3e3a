package participant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// Handler carries out commands that come by HTTP, behind the same barrier as those of the
// broker. The response is the reply; nothing goes into the outbox. Commands that come at the
// same time share a transaction, and a slow one does not hold up others for long. Several
// instances may serve side by side, and beside [Participant.Run].
//
// A request that is no command is answered 400. One that has not been carried out, because
// the database fails or the client has gone, is answered 503, and nothing of it stays. The
// caller may repeat every request; see docs/protocol.md, "By HTTP".
func (p *Participant) Handler() http.Handler {
	commands := &gathering{p: p}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			refuse(w, http.StatusMethodNotAllowed, "a command is a POST")
			return
		}
		cmd, err := protocol.DecodeHTTPCommand(req)
		if err != nil {
			refuse(w, http.StatusBadRequest, err.Error())
			return
		}
		reply, err := commands.ask(req.Context(), cmd)
		if err == nil {
			err = protocol.WriteHTTPReply(w, cmd, reply)
		}
		if err == nil || req.Context().Err() != nil {
			return
		}
		p.log.Warn("a command by HTTP was not carried out, it may be repeated", zap.String("key", cmd.Key()), zap.Error(err))
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, "not carried out: repeat the request")
	})
}

// answer carries one command out in a transaction.
func (p *Participant) answer(ctx context.Context, cmd Command) (protocol.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Limit)
	defer cancel()
	const tries = 3
	for try := 1; ; try++ {
		reply, again, err := p.try(ctx, cmd)
		if err == nil || !again || try == tries {
			return reply, err
		}
	}
}

// try makes one transaction; again says that another one may fare better.
func (p *Participant) try(ctx context.Context, cmd Command) (reply protocol.Reply, again bool, err error) {
	tx, err := p.cfg.DB.Begin(ctx)
	if err != nil {
		return reply, false, fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // does nothing after the commit
	t := &task{cmd: cmd}
	b := batch{Participant: p, tx: tx, queue: &pgx.Batch{}, begun: time.Now(), alone: true}
	if err := b.perform(ctx, []*task{t}); err != nil {
		return reply, b.ofTheBatch(ctx, err) && ctx.Err() == nil, err
	}
	if err := b.send(ctx); err != nil {
		return reply, b.ofTheBatch(ctx, err) && ctx.Err() == nil, fmt.Errorf("leave the barrier: %w", err)
	}
	if t.off {
		return reply, false, errors.New("there was no time for the command")
	}
	if err := tx.Commit(ctx); err != nil {
		return reply, false, fmt.Errorf("commit: %w", err)
	}
	reply, err = t.replied()
	return reply, false, err
}

// replied is what the command was answered.
func (t *task) replied() (protocol.Reply, error) {
	reply := protocol.Reply{Outcome: t.outcome}
	var err error
	switch t.outcome {
	case saga.OutcomeSucceeded:
		err = json.Unmarshal(t.reply.Payload, &reply.Output)
	case saga.OutcomeFailed, saga.OutcomeRetry:
		err = json.Unmarshal(t.reply.Payload, &reply.Problem)
	case saga.OutcomeConfirmed, saga.OutcomeCompensated:
	}
	if err != nil {
		return reply, fmt.Errorf("read the answer that was remembered: %w", err)
	}
	return reply, nil
}

// refuse answers with a problem that decides nothing.
func refuse(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "title": http.StatusText(status), "detail": detail})
}
