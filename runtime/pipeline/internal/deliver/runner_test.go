package deliver

import (
	"errors"
	"testing"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/wait"
)

// What is tried again is tried in order only if all that failed is there to be sorted when nothing is at a sink any more.
func TestAFailedPartIsAlwaysAtTheSinkOrToBeTriedAgain(t *testing.T) {
	for range 20_000 {
		b := &flow.Batch{}
		r := &Runner{wake: wait.NewSignal(), outstanding: map[*flow.Batch]*part{b: {}}}
		ended := make(chan struct{})
		go func() {
			r.onDone(b, flow.Result{Err: errors.New("away")})
			close(ended)
		}()
		for r.busy() {
		}
		r.mu.Lock()
		failed := len(r.failed)
		r.mu.Unlock()
		<-ended
		if failed != 1 {
			t.Fatal("a part that failed is nowhere for a moment: what failed after it would be tried again first")
		}
	}
}
