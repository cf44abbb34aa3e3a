package listings

import (
	"errors"
	"fmt"
)

// pair is a step as functions in memory.
type pair struct {
	name string
	do   func() error
	undo func() error
}

// run does the steps in order, and undoes in reverse when one fails.
func run(steps []pair) error {
	for _, step := range steps {
		if err := step.do(); err != nil {
			for i := len(steps) - 1; i >= 0; i-- {
				if err := steps[i].undo(); err != nil {
					return fmt.Errorf("undo %s: %w", steps[i].name, err)
				}
			}
			return err
		}
	}
	return nil
}

// What never ran is undone first, and where that fails what did run is not undone at all.
func Example_slice() {
	step := func(name string, do, undo error) pair {
		return pair{
			name, func() error { fmt.Println("do", name); return do },
			func() error { fmt.Println("undo", name); return undo },
		}
	}
	fmt.Println(run([]pair{
		step("room", nil, nil),
		step("payment", errors.New("declined"), nil),
		step("voucher", nil, errors.New("there is no such voucher")),
	}))
	// Output:
	// do room
	// do payment
	// undo voucher
	// undo voucher: there is no such voucher
}

const stay = `
name: stay
version: 1
steps:
  - name: room
  - name: payment
  - name: voucher
`

// Here only what may have taken effect is undone: not the payment, which was refused, nor the
// voucher, which was never asked for.
func Example_sliceHere() {
	play(stay, answers{"REQUEST payment": "failed"})
	// Output:
	// REQUEST room → succeeded
	// REQUEST payment → failed
	// CANCEL room → compensated
	// aborted
}

// A compensation that fails is repeated. Where it never succeeds the saga is parked, which is
// a state that an operator sees, and what is left to undo is known.
func Example_sliceHereUndoFails() {
	play(`
name: stay
version: 1
steps:
  - name: room
    cancel: {retry: {attempts: 3}}
  - name: payment
`, answers{"REQUEST payment": "failed", "CANCEL room": "failed"})
	// Output:
	// REQUEST room → succeeded
	// REQUEST payment → failed
	// CANCEL room → failed
	// CANCEL room → failed
	// CANCEL room → failed
	// parked
}
