// Package stats condenses measurements into medians and verdicts. A value that
// could not be measured is NaN: it runs through every formula and meets no bar.
package stats

import (
	"math"
	"slices"
)

// Median is the middle value, of an even number the mean of the two; NaN when a
// value is NaN or there is none.
func Median(values []float64) float64 {
	if len(values) == 0 || slices.ContainsFunc(values, math.IsNaN) {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Ratio is the median of a[i]/b[i]. Values of one round were measured within
// moments of each other, so their quotient is free of the machine's slow drift.
func Ratio(a, b []float64) float64 {
	var quotients []float64
	for i, value := range a[:min(len(a), len(b))] {
		quotients = append(quotients, value/b[i])
	}
	return Median(quotients)
}
