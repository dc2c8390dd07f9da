package secret

import "slices"

// SortedIndices returns the indices below n, sorted; equal ones keep their order. What they refer to could be sorted
// itself, but each type whose slices are sorted adds some 10 KB to the binary.
func SortedIndices(n int, compare func(a, b int) int) []int {
	indices := make([]int, n)
	for i := range indices {
		indices[i] = i
	}
	slices.SortStableFunc(indices, compare)
	return indices
}
