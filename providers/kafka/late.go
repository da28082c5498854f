package kafka

import (
	"fmt"
	"strconv"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// The time that a record may be under way is kept here. The library would give up the oldest record alone, and go on with those behind
// it, which would then arrive first. So its own time never ends, and when ours does all that is under way is given up, and goes again in
// order.

// patience takes the time that a record may be under way out of the library's settings; 0: for ever.
func patience(m kafka.ConfigMap) (time.Duration, error) {
	limit := deliveryTimeout
	for _, name := range []string{"delivery.timeout.ms", "message.timeout.ms"} { // two names of one
		v, set := m[name]
		if !set {
			continue
		}
		ms, err := strconv.ParseInt(fmt.Sprint(v), 10, 32)
		if err != nil || ms < 0 {
			return 0, fmt.Errorf("kafka property %s = %q is no number of milliseconds", name, v)
		}
		limit = time.Duration(ms) * time.Millisecond
		delete(m, name)
	}
	m["delivery.timeout.ms"] = 0
	return limit, nil
}

// expire fails the client when a record waits longer for its report than the limit.
func (l *librdkafka) expire(limit time.Duration) {
	if limit == 0 {
		return
	}
	look := time.NewTicker(max(limit/20, time.Millisecond))
	defer look.Stop()
	for {
		select {
		case <-look.C:
		case <-l.ended:
			return
		}
		if l.s.late(limit) {
			doing := "produce"
			if l.s.records.topic != nil {
				doing += " to topic " + *l.s.records.topic
			}
			l.s.expire(l.cause.Wrap(l.brokers, doing, kafka.NewError(kafka.ErrMsgTimedOut, kafka.ErrMsgTimedOut.String(), false)))
		}
	}
}

// late says whether a batch has been under way for longer than the limit.
func (s *Sink) late(limit time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for in := range s.flying {
		if s.broken == nil && time.Since(in.since) > limit {
			return true
		}
	}
	return false
}

// expire fails all batches that are under way, and the client with them.
func (s *Sink) expire(err error) {
	s.mu.Lock()
	for in := range s.flying {
		in.lost(err)
	}
	s.mu.Unlock()
	s.fault(err)
}
