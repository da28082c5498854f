package sim_test

import (
	"strings"
	"testing"
	"time"
)

// seeds is how many runs a normal test makes.
const seeds = 200

func TestNothingIsLostOrDoubledWhateverTheDiskDoes(t *testing.T) {
	from, to := uint64(1), uint64(seeds)
	if seed, ok := chosenSeed(t); ok {
		from, to = seed, seed
	} else if n := soak(t); n > 0 {
		from, to = seeds+1, seeds+n
	} else if testing.Short() {
		to = 20
	}
	begin := time.Now()
	for seed := from; seed <= to; seed++ {
		wrong, log := play(t, seed, bug{})
		if len(wrong) > 0 {
			t.Errorf("seed %d (replay: COLLECT_SIM_SEED=%d go test ./runtime/sim -run Nothing):\n%s\nwhat happened:\n%s",
				seed, seed, strings.Join(wrong, "\n"), strings.Join(log, "\n"))
			return
		}
	}
	t.Logf("%d runs in %v", to-from+1, time.Since(begin))
}
