package kafka

import (
	"context"
	"fmt"
	"strings"
	"time"

	"collect/runtime/flow"
)

// A broker that hangs keeps its connections and refuses nothing. Until the records' time is up there is no error, so that nothing is
// delivered must be told some other way.

// silentAfter is how long a batch waits for its report before status says so.
const silentAfter = 5 * time.Second

// silence is what is known of it. Sink.mu guards it.
type silence struct {
	brokers []string
	after   time.Duration
	moved   time.Time // when a batch was done, or the first was sent
	told    string    // what status says of it; "" when nothing
}

// listen looks again and again at whether the brokers acknowledge anything.
func (s *Sink) listen(ctx context.Context) {
	s.mu.Lock()
	look := time.NewTicker(s.silence.after / 5)
	s.mu.Unlock()
	defer look.Stop()
	for {
		select {
		case <-look.C:
			s.tellSilence()
		case <-ctx.Done():
			return
		}
	}
}

func (s *Sink) tellSilence() {
	s.mu.Lock()
	c := &s.silence
	silent, told := s.open > 0 && time.Since(c.moved) >= c.after, c.told
	c.told = ""
	if silent {
		c.told = fmt.Sprintf("kafka %s does not acknowledge what was sent", strings.Join(c.brokers, ","))
	}
	now := c.told
	s.mu.Unlock()
	switch {
	case now == told:
	case silent:
		s.env.Stats.SetHealth(flow.Waiting, now)
	case s.env.Stats.Snapshot().Why == told: // else it says something newer
		s.env.Stats.SetHealth(flow.OK, "")
	}
}
