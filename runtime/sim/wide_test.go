package sim_test

import (
	"strings"
	"testing"
	"testing/synctest"
)

// A source that feeds two channels: each disk channel gets its events exactly once whatever becomes of the other, and a memory channel
// beside it loses none.
func TestTwoChannelsAreIndependentWhateverTheDiskDoes(t *testing.T) {
	for _, second := range []string{"disk", "memory"} {
		t.Run(second, func(t *testing.T) {
			from, to := uint64(1), uint64(seeds/4)
			if seed, ok := chosenSeed(t); ok {
				from, to = seed, seed
			} else if n := soak(t); n > 0 {
				from, to = seeds+1, seeds+n
			} else if testing.Short() {
				to = 5
			}
			for seed := from; seed <= to; seed++ {
				var wrong, log []string
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(seed, bug{})
					w.second = second
					wrong, log = w.run(t.Context()), w.log
				})
				if len(wrong) > 0 {
					t.Fatalf("seed %d (replay: COLLECT_SIM_SEED=%d go test ./runtime/sim -run TwoChannels/%s):\n%s\nwhat happened:\n%s",
						seed, seed, second, strings.Join(wrong, "\n"), strings.Join(log, "\n"))
				}
			}
		})
	}
}
