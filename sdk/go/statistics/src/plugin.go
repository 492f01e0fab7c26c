// Sum, average, minimum and maximum of an array of numbers.
package main

import casemate "github.com/casemate/casemate/sdk/go"

type input struct {
	Numbers []float64 `json:"numbers"`
}

type statistics struct {
	Sum     float64 `json:"sum"`
	Average float64 `json:"average"`
	Min     float64 `json:"min"`
	Max     float64 `json:"max"`
}

func stats(in input) (statistics, error) {
	if len(in.Numbers) == 0 {
		return statistics{}, casemate.Fail("empty_input", "Input array is empty")
	}
	out := statistics{Min: in.Numbers[0], Max: in.Numbers[0]}
	for _, number := range in.Numbers {
		out.Sum += number
		out.Min = min(out.Min, number)
		out.Max = max(out.Max, number)
	}
	out.Average = out.Sum / float64(len(in.Numbers))
	return out, nil
}

func init() {
	casemate.Plugin("statistics", "Statistics", "0.1.0")
	casemate.Method("stats", stats)
}

func main() {}
