//go:build !race

package providertest

// Race says that the race detector runs: allocations cannot be counted then, and everything is slow.
const Race = false
