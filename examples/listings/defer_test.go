package listings

import (
	"errors"
	"fmt"
)

// bank has an account on either side. A deposit is done, and its answer gets lost.
type bank map[string]int

func (b bank) withdraw() error { b["from"] -= 100; return nil }
func (b bank) deposit() error  { b["to"] += 100; return errors.New("timeout") }
func (b bank) undoWithdraw()   { b["from"] += 100 }
func (b bank) undoDeposit()    { b["to"] -= 100 }

// deferred undoes by defer what was done: each defer is registered behind its step.
func (b bank) deferred() (err error) {
	if err := b.withdraw(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			b.undoWithdraw()
		}
	}()
	if err := b.deposit(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			b.undoDeposit()
		}
	}()
	return nil
}

// The deposit took effect, and only its answer did not come: the defer that would undo it was
// not registered yet, so that the money is there twice.
func Example_defer() {
	b := bank{"from": 100, "to": 0}
	fmt.Println(b.deferred(), b)
	// Output:
	// timeout map[from:100 to:100]
}

// transfer gives each attempt a time, and says how often it is made.
const transfer = `
name: transfer
version: 1
steps:
  - name: withdraw
  - name: deposit
    request: {timeout: 1s, retry: {attempts: 2}}
`

// Here a step whose outcome is not known is undone as well, before those in front of it. The
// participant's barrier makes that right whether or not the deposit took effect.
func Example_deferHere() {
	play(transfer, answers{"REQUEST deposit": silence})
	// Output:
	// REQUEST withdraw → succeeded
	// REQUEST deposit → no answer
	// REQUEST deposit → no answer
	// CANCEL deposit → compensated
	// CANCEL withdraw → compensated
	// aborted
}
