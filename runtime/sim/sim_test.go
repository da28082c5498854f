package sim_test

import (
	"strings"
	"testing"
	"time"
)

func TestNothingIsLostOrDoubledWhateverTheDiskDoes(t *testing.T) {
	for _, sh := range shapes() {
		t.Run(strings.ReplaceAll(sh.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			try(t, sh)
		})
	}
}

// try plays the seeds of a shape until one fails.
func try(t *testing.T, sh shape) {
	t.Helper()
	from, to := uint64(1), uint64(sh.quick)
	if seed, ok := chosenSeed(t); ok {
		from, to = seed, seed
	} else if n := soak(t); n > 0 {
		from, to = to+1, to+max(n*to/100, 1)
	} else if testing.Short() {
		to /= 10
	}
	begin := time.Now()
	for seed := from; seed <= to; seed++ {
		wrong, log := play(t, sh, seed, bug{})
		if len(wrong) > 0 {
			t.Errorf("seed %d (replay: COLLECT_SIM_SEED=%d go test ./runtime/sim -run '%s'):\n%s\nwhat happened:\n%s",
				seed, seed, t.Name(), strings.Join(wrong, "\n"), strings.Join(log, "\n"))
			return
		}
	}
	t.Logf("%d runs in %v", to-from+1, time.Since(begin))
}

// theShape finds a shape by its name; "" is plain.
func theShape(t *testing.T, name string) shape {
	t.Helper()
	for _, sh := range shapes() {
		if sh.name == name || name == "" {
			return sh
		}
	}
	t.Fatalf("there is no shape %q", name)
	return shape{}
}
