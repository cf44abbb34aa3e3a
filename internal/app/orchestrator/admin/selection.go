package admin

import (
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// Selection chooses sagas, in a query or in a body. The limit is what can be told well
// within the time of one request.
type Selection struct {
	Statuses      []string  `query:"status" json:"status,omitempty" enum:"STARTED,COMPLETED,ABORTING,ABORTED,PARKED,KILLED" doc:"Only these statuses."`
	Type          string    `query:"type" json:"type,omitempty" maxLength:"255" doc:"Only sagas of this definition."`
	Key           string    `query:"key" json:"key,omitempty" maxLength:"255" doc:"Only the saga with this business key; needs the type."`
	Step          string    `query:"step" json:"step,omitempty" maxLength:"255" doc:"Only sagas in which this step is under way or parked."`
	Failure       string    `query:"failure" json:"failure,omitempty" enum:"refused,unknown,unavailable,unsignalled,condition,deadline,aborted" doc:"Only what goes or went back because of this."`
	ParkReason    string    `query:"parkReason" json:"parkReason,omitempty" enum:"attempts spent,refused,unavailable,undeliverable,contradictory replies,not signalled,condition failed" doc:"Only what is parked because of this."`
	StartedBefore time.Time `query:"startedBefore" json:"startedBefore,omitzero" doc:"Only sagas started then or before."`
	StartedAfter  time.Time `query:"startedAfter" json:"startedAfter,omitzero" doc:"Only sagas started then or after."`
	Stuck         bool      `query:"stuck" json:"stuck,omitempty" doc:"Only sagas that need somebody: parked or overdue."`
	Overdue       bool      `query:"overdue" json:"overdue,omitempty" doc:"Only sagas that should have been acted upon: is an orchestrator running?"`
	Parked        bool      `query:"parked" json:"parked,omitempty" doc:"Only sagas that wait for a decision."`
	Paused        bool      `query:"paused" json:"paused,omitempty" doc:"Only paused sagas."`
	Limit         int       `query:"limit" json:"limit,omitempty" minimum:"1" maximum:"1000" default:"50" doc:"At most so many, the newest."`
}

// of reads the selection. Times are cut to what the database distinguishes.
func (s Selection) of() sagapg.Selection {
	chosen := sagapg.Selection{
		Type: s.Type, BusinessKey: s.Key, Step: s.Step, Failure: saga.FailureClass(s.Failure), ParkReason: saga.ParkReason(s.ParkReason),
		StartedBefore: s.StartedBefore.UTC().Truncate(time.Microsecond), StartedAfter: s.StartedAfter.UTC().Truncate(time.Microsecond),
		Stuck: s.Stuck, Overdue: s.Overdue, Parked: s.Parked, Paused: s.Paused, Limit: s.Limit,
	}
	for _, status := range s.Statuses {
		chosen.Statuses = append(chosen.Statuses, saga.Status(status))
	}
	return chosen
}

func idOf(text, location string) (saga.ID, error) {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != len(uuid.UUID{}.String()) {
		return saga.ID{}, huma.Error422UnprocessableEntity("the saga's id is not a UUID",
			&huma.ErrorDetail{Location: location, Message: "expected a UUID such as 0193c0de-0000-7000-8000-000000000001"})
	}
	return saga.ID(id), nil
}
