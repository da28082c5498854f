package emit

import (
	"sync"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/position"
)

// join gathers the acknowledgements of one emitted batch: its source hears of it when every required channel, and the
// dead-letter channel when it got some of the events, has settled.
type join struct {
	emitter *Emitter
	flights []*position.Flight
	events  int
	bytes   int64

	mu      sync.Mutex // guards all below
	left    int
	outcome flow.Outcome
	over    bool
	source  func(flow.Outcome) // hears how it ended; nil: nobody, or Emit tells
}

// worse orders outcomes: the join has the worst of its parts. A part that is only Delivered by volatile channels is as good as
// one that is Durable; which of both the source hears does not matter to its position.
func worse(a, b flow.Outcome) flow.Outcome {
	rank := [...]int{0: 0, flow.Dropped: 1, flow.DeadLettered: 2, flow.Delivered: 3, flow.Durable: 4, flow.Abandoned: 5}
	if rank[a] >= rank[b] {
		return a
	}
	return b
}

// add expects one more settlement.
func (j *join) add() {
	j.mu.Lock()
	j.left++
	j.mu.Unlock()
}

// settle takes the outcome of one part.
func (j *join) settle(o flow.Outcome) {
	j.mu.Lock()
	j.outcome = worse(j.outcome, o)
	j.left--
	end := j.left == 0 && !j.over
	j.over = j.over || end
	o = j.outcome
	source := j.source
	j.mu.Unlock()
	if end {
		j.emitter.ended(j, o, source)
	}
}

// settleDead is settle for the part in the dead-letter channel.
func (j *join) settleDead(o flow.Outcome) {
	if o != flow.Abandoned {
		o = flow.DeadLettered
	}
	j.settle(o)
}

// abandon ends the join now, whatever its parts still say.
func (j *join) abandon() {
	j.mu.Lock()
	end := !j.over
	j.over = true
	source := j.source
	j.mu.Unlock()
	if end {
		j.emitter.ended(j, flow.Abandoned, source)
	}
}

// withdraw ends the join as abandoned for a batch that Emit gives back. It gives who must hear of that from Emit; nil: he has.
func (j *join) withdraw() func(flow.Outcome) {
	j.mu.Lock()
	source := j.source
	if j.over {
		source = nil
	}
	j.source = nil
	j.mu.Unlock()
	j.abandon()
	return source
}
