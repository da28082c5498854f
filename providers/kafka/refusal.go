package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"collect/providers/internal/kafkaclient"
)

// Brokers refuse requests, not records: one event that is too large, or a batch of small ones that is larger than the topic allows,
// fails all that share its batch of records. So a refusal of a shared batch settles nothing. What is under way is given up and sent
// again alone, one record in a batch, in the same order; then a refusal is about one event, for good, and its neighbours arrive. After a
// refusal because of size the sink asks what the topic allows, and makes no larger batches from then on.

// refusal is what a broker would not take, whoever tries.
type refusal struct {
	topic string
	size  bool
	err   error
}

func (r *refusal) Error() string { return r.err.Error() }

func (r *refusal) Unwrap() error { return r.err }

func isRefusal(err error) bool {
	var r *refusal
	return errors.As(err, &r)
}

// together is what a refusal of several records is for their batches.
func together(err error) error {
	if !isRefusal(err) {
		return err
	}
	return fmt.Errorf("events were refused together, and go again one by one to find out which: %w", err)
}

// manner is how a client sends.
type manner struct {
	alone bool // each record in a batch of its own
	batch int  // most bytes of a batch of records; 0: as the library likes
}

// search is the sending of records alone. Sink.mu guards it.
type search struct {
	alone bool          // the present client sends so
	left  int           // batches that must still be sent so
	until time.Time     // and all that come before
	after time.Duration // how long all do that come after a refusal
}

// aloneAfter is how long records go alone after one was refused: where one is, there are often more, and each would make all that are
// under way go again.
const aloneAfter = 10 * time.Second

func (c *search) wanted() bool { return c.left > 0 || time.Now().Before(c.until) }

// sends counts a batch that is being sent.
func (c *search) sends() {
	if c.alone && c.left > 0 {
		c.left--
	}
}

// refused takes note of a refusal, and says whether it is about one event alone.
func (s *Sink) refused(err error) bool {
	var r *refusal
	if !errors.As(err, &r) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.search.alone {
		s.search.until = time.Now().Add(s.search.after)
		return true
	}
	s.search.left = max(s.search.left, s.open, 1)
	if r.size && r.topic != "" {
		s.limits.ask = r.topic
	}
	return false
}

// limits is what is known of the size of batches that the brokers take.
type limits struct {
	batch int    // of the gate: most bytes of a batch; 0: nobody has complained
	ask   string // of Sink.mu: the topic to ask for
}

const (
	firstBatch = 1_000_000 // what both libraries fill a batch with
	leastBatch = 1 << 10
	// batchFrame is more than what the head of a batch takes.
	batchFrame = 256
	askTimeout = 5 * time.Second
)

// learn finds out how large batches may be, after one was refused for its size. Where nobody may tell, half of what was too much is tried.
func (s *Sink) learn(ctx context.Context, brokers []string) {
	s.mu.Lock()
	topic := s.limits.ask
	s.limits.ask = ""
	s.mu.Unlock()
	if topic == "" {
		return
	}
	now := s.limits.batch
	if now == 0 {
		now = firstBatch
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	n := now / 2
	if told, err := kafkaclient.MaxBatch(ctx, s.cfg.Provider, brokers, topic); err == nil && told-batchFrame < now {
		n = told - batchFrame
	} else if err == nil {
		n = now // one event was too large, and batches are not
	}
	s.limits.batch = max(n, leastBatch)
	s.env.Log.Info("batches are bounded by what the topic takes", "topic", topic, "bytes", s.limits.batch)
}

// begins says how the next client sends.
func (s *Sink) begins() manner {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.search.alone = s.search.wanted()
	return manner{alone: s.search.alone, batch: s.limits.batch}
}

// change ends a client that sends records alone when there is no more need, after all that it has is done.
func (s *Sink) change(ctx context.Context) error {
	for s.client != nil {
		s.mu.Lock()
		over, open, changed := s.search.alone && !s.search.wanted(), s.open, s.changed
		s.mu.Unlock()
		if !over {
			return nil
		}
		if open == 0 {
			s.drop()
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
		s.retire()
	}
	return nil
}
