package wait

import (
	"time"

	"collect/runtime/flow"
)

// Backoff gives the pauses between tries: exponential with full jitter, so that many that failed together do not come back
// together.
type Backoff struct {
	Initial, Max time.Duration
	Rand         flow.Rand
	tries        int
}

// Next gives the next pause.
func (b *Backoff) Next() time.Duration {
	top := b.Initial
	for range min(b.tries, 32) {
		if top >= b.Max {
			break
		}
		top *= 2
	}
	top = max(min(top, b.Max), time.Millisecond)
	b.tries++
	return time.Duration(b.Rand.Uint64()%uint64(top)) + 1
}

// Slowest gives the longest pause, without jitter: for what only a change of configuration can mend.
func (b *Backoff) Slowest() time.Duration {
	b.tries++
	return max(b.Max, time.Second)
}

// Reset begins anew, after a success.
func (b *Backoff) Reset() { b.tries = 0 }

// Failing says whether there was a failure since Reset.
func (b *Backoff) Failing() bool { return b.tries > 0 }
