package stats

import (
	"fmt"
	"io"
	"math"
	"strconv"
)

// Bar is a value and the limit that it has to keep.
type Bar struct {
	Name  string // without blanks
	Value float64
	// Limit is a floor, or a ceiling where Ceiling says so.
	Limit   float64
	Ceiling bool
}

// AtLeast is a bar that a value must not fall below.
func AtLeast(name string, value, limit float64) Bar {
	return Bar{Name: name, Value: value, Limit: limit}
}

// AtMost is a bar that a value must not exceed.
func AtMost(name string, value, limit float64) Bar {
	return Bar{Name: name, Value: value, Limit: limit, Ceiling: true}
}

// Met says whether the limit is kept. What was not measured does not keep it.
func (b Bar) Met() bool {
	if b.Ceiling {
		return b.Value <= b.Limit
	}
	return b.Value >= b.Limit
}

// Verdict is "ok" or "short".
func (b Bar) Verdict() string {
	if b.Met() {
		return "ok"
	}
	return "short"
}

// Bound is the limit as text, for example ">=0.95".
func (b Bar) Bound() string {
	sign := ">="
	if b.Ceiling {
		sign = "<="
	}
	return sign + strconv.FormatFloat(b.Limit, 'g', -1, 64)
}

func (b Bar) String() string {
	return fmt.Sprintf("BAR %s %s %s %s", b.Name, Number(b.Value), b.Bound(), b.Verdict())
}

// PrintBars writes a line for each bar and says whether all are met.
func PrintBars(w io.Writer, bars []Bar) (met bool) {
	met = true
	for _, b := range bars {
		fmt.Fprintln(w, b)
		met = met && b.Met()
	}
	return met
}

// Number is a measured value with three digits or more; "n/a" where it could not
// be measured.
func Number(value float64) string {
	switch size := math.Abs(value); {
	case math.IsNaN(value):
		return "n/a"
	case size >= 100:
		return strconv.FormatFloat(value, 'f', 0, 64)
	case size >= 10:
		return strconv.FormatFloat(value, 'f', 1, 64)
	default:
		return strconv.FormatFloat(value, 'f', 3, 64)
	}
}
