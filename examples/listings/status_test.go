package listings

import (
	"fmt"
	"maps"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagayaml"
)

// statusOf draws the saga's status from the set of its steps' statuses.
func statusOf(steps map[string]string) string {
	set := map[string]bool{}
	for status := range maps.Values(steps) {
		set[status] = true
	}
	switch {
	case set["SUCCEEDED"] && len(set) == 1:
		return "COMPLETED"
	case set["STARTED"] && (len(set) == 1 || set["SUCCEEDED"] && len(set) == 2):
		return "STARTED"
	case !set["COMPENSATING"]:
		return "ABORTED"
	default:
		return "ABORTING"
	}
}

// Whoever forgets to set COMPENSATING in the same moment has an aborted saga that holds a room;
// who forgets to put the next step in, one that is completed after its first.
func Example_status() {
	fmt.Println(statusOf(map[string]string{"room": "SUCCEEDED", "payment": "FAILED"}))
	fmt.Println(statusOf(map[string]string{"room": "SUCCEEDED"}))
	version := int8(127)
	version++
	fmt.Println("the version after 127 changes:", version)
	// Output:
	// ABORTED
	// COMPLETED
	// the version after 127 changes: -128
}

// Here the next steps follow from the definition and the states of all of its steps: what is
// not through is gone on with, and what may be in effect is undone.
func Example_statusHere() {
	def, err := sagayaml.Parse([]byte(stay))
	if err != nil {
		fmt.Println(err)
		return
	}
	next, left := saga.NextSagaStep(def, []saga.StepState{
		{Name: "room", Status: saga.StepSucceeded}, {Name: "payment"}, {Name: "voucher"},
	})
	fmt.Println("next:", next, left)
	prev, left := saga.PrevSagaStep(def, []saga.StepState{
		{Name: "room", Status: saga.StepSucceeded}, {Name: "payment", Status: saga.StepFailed}, {Name: "voucher"},
	})
	fmt.Println("undo:", prev, left)
	// Output:
	// next: [payment] true
	// undo: [room] true
}
