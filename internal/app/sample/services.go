package sample

import (
	"net/http"
	"slices"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"go.example/saga/internal/sample/hotel"
	"go.example/saga/internal/sample/lookup"
	"go.example/saga/internal/sample/payment"
	"go.example/saga/internal/sample/reaction"
	sagasql "go.example/saga/sql"
)

// Hotel is the service that books and releases rooms.
func Hotel() Participant {
	return Participant{
		Name: "hotel", Lines: []sagasql.Line{sagasql.Hotel}, Things: []string{hotel.Thing}, Reads: hotel.Handler,
		Parts: func(schema string) []reaction.Reaction { return []reaction.Reaction{hotel.Reaction(schema)} },
	}
}

// Payment is the service that charges and refunds cards.
func Payment() Participant {
	return Participant{
		Name: "payment", Lines: []sagasql.Line{sagasql.Payment}, Things: []string{payment.Thing}, Reads: payment.Handler,
		Parts: func(schema string) []reaction.Reaction { return []reaction.Reaction{payment.Reaction(schema)} },
	}
}

// Together is several participants as one program, on the tables of one schema, each of
// which has its own. They have one service name, so one queue of commands: whoever takes a
// command from it must be able to carry out each of the steps.
func Together(name string, all ...Participant) Participant {
	one := Participant{Name: name}
	for _, p := range all {
		one.Lines, one.Things = slices.Concat(one.Lines, p.Lines), slices.Concat(one.Things, p.Things)
	}
	one.Parts = func(schema string) (parts []reaction.Reaction) {
		for _, p := range all {
			parts = append(parts, p.Parts(schema)...)
		}
		return parts
	}
	one.Reads = func(db *pgxpool.Pool, schema string, log *zap.Logger) http.Handler {
		mux := http.NewServeMux()
		for _, p := range all {
			for _, thing := range p.Things {
				mux.Handle(lookup.Path(thing, "{saga}"), p.Reads(db, schema, log))
			}
		}
		return mux
	}
	return one
}
