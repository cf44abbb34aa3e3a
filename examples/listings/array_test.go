package listings

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// atOnce undoes everything at the same time, when one of them fails.
func atOnce(undos []func() error) error {
	var all sync.WaitGroup
	errs := make([]error, len(undos))
	for i, undo := range undos {
		all.Go(func() { errs[i] = undo() })
	}
	all.Wait()
	return errors.Join(errs...)
}

// A room that is refurnished cannot be given back before the furniture is out.
func Example_array() {
	empty := make(chan struct{})
	var mu sync.Mutex
	var order []string
	note := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, what)
	}
	err := atOnce([]func() error{
		func() error {
			defer close(empty)
			note("room: refused, there is furniture in it")
			return errors.New("the room is still held")
		},
		func() error {
			<-empty
			note("furniture: out")
			return nil
		},
	})
	slices.Sort(order)
	fmt.Println(order[1])
	fmt.Println(order[0])
	fmt.Println(err)
	// Output:
	// room: refused, there is furniture in it
	// furniture: out
	// the room is still held
}

// Here the one is undone after the other, in reverse; steps that went side by side are undone
// side by side.
func Example_arrayHere() {
	play(`
name: event
version: 1
steps:
  - name: room
  - parallel: equipment
    steps:
      - name: furniture
      - name: catering
  - name: payment
`, answers{"REQUEST payment": "failed"})
	// Output:
	// REQUEST room → succeeded
	// REQUEST furniture → succeeded
	// REQUEST catering → succeeded
	// REQUEST payment → failed
	// CANCEL catering → compensated
	// CANCEL furniture → compensated
	// CANCEL room → compensated
	// aborted
}
