package contender

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// answer is what a client says to a load; the first one says that it is ready.
type answer struct {
	Seconds float64
	Times   *hdrhistogram.Snapshot `json:",omitempty"`
	Error   string                 `json:",omitempty"`
}

// serve answers the loads that come in until there are no more.
func serve(ctx context.Context, in io.Reader, out io.Writer, do place) error {
	asked, said := json.NewDecoder(in), json.NewEncoder(out)
	if err := said.Encode(answer{}); err != nil {
		return fmt.Errorf("say that the client is ready: %w", err)
	}
	for {
		var load Load
		if err := asked.Decode(&load); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read what to do: %w", err)
		}
		begin := time.Now()
		times, err := load.run(ctx, do)
		a := answer{Seconds: time.Since(begin).Seconds(), Times: times.Export()}
		if err != nil {
			a.Error = err.Error()
		}
		if err := said.Encode(a); err != nil {
			return fmt.Errorf("say what came of it: %w", err)
		}
	}
}
