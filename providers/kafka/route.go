package kafka

import (
	"context"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"collect/providers/internal/kafkaclient"
)

// route is the choice of partitions for records that may go to any: the same one for a while, so that requests are large, then
// the next.
type route struct {
	partitions []int32 // those that have a leader; none: the library chooses
	next       int
	filled     int // bytes since the last turn
	turned     time.Time
	asked      time.Time // when the partitions were read
}

const (
	// checkTimeout bounds how long the brokers have for their first answer, and refreshTimeout for later ones.
	checkTimeout   = 8 * time.Second
	firstTimeout   = time.Second // between looks at why there is none
	refreshTimeout = 2 * time.Second
	// refreshAfter is when added partitions are noticed, at the latest.
	refreshAfter = 5 * time.Minute
	// turnAfter is how much goes to one partition at least, where much is sent.
	turnAfter = 256 << 10
)

// countable says whether reports can be counted: the records go to one topic, may go to any partition, and the broker keeps order.
func (c Config) countable() bool {
	return c.Idempotent && c.Topic.IsConst() && !c.Key.IsSet() && !c.Partition.IsSet() && strings.HasSuffix(c.Partitioner, "random")
}

func (l *librdkafka) begin(*inflight) {
	r, now := &l.route, time.Now()
	if len(r.partitions) == 0 || l.how.alone { // each report must say which record it is about
		l.lanes.current = nil
		return
	}
	if now.Sub(r.asked) > refreshAfter {
		r.asked = now // also when there is no answer: what is known still holds then
		if md, err := l.metadata(*l.s.records.topic, refreshTimeout); err == nil {
			l.learn(md)
		}
	}
	if l.lanes.current != nil && r.filled < turnAfter && now.Sub(r.turned) < max(l.s.cfg.Linger, 10*time.Millisecond) {
		return
	}
	r.next++
	r.filled, r.turned = 0, now
	l.lanes.turn(r.partitions[r.next%len(r.partitions)])
}

func (l *librdkafka) end(in *inflight) { l.lanes.close(in) }

func (l *librdkafka) metadata(topic string, timeout time.Duration) (*kafka.Metadata, error) {
	var name *string
	if topic != "" {
		name = &topic
	}
	return l.p.GetMetadata(name, false, int(max(timeout, time.Millisecond)/time.Millisecond))
}

// first asks brokers that have not answered yet. One that refuses the connection is told at once: status says why nothing is delivered.
func (l *librdkafka) first(ctx context.Context, topic string, timeout time.Duration) (md *kafka.Metadata, err error) {
	for end := time.Now().Add(timeout); ; {
		md, err = l.metadata(topic, min(firstTimeout, time.Until(end)))
		if err == nil || !kafkaclient.Unreachable(err) || l.cause.Last() != "" || !time.Now().Before(end) || ctx.Err() != nil {
			return md, err
		}
	}
}

func (l *librdkafka) check(ctx context.Context, topic string) error {
	timeout := checkTimeout
	if end, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(end))
	}
	md, err := l.first(ctx, topic, timeout)
	if err != nil {
		return l.cause.Wrap(l.brokers, "ask for topics", err)
	}
	if topic == "" {
		return nil
	}
	if err := md.Topics[topic].Error; err.Code() != kafka.ErrNoError {
		return l.explain(err, topic)
	}
	if l.s.cfg.countable() {
		l.route.asked = time.Now()
		l.route.next = int(l.s.env.Rand.Uint64() >> 40) // agents that start together begin with different ones
		l.learn(md)
	}
	return nil
}

// learn takes over the partitions of the topic.
func (l *librdkafka) learn(md *kafka.Metadata) {
	var found []int32
	for _, p := range md.Topics[*l.s.records.topic].Partitions {
		if p.Leader >= 0 {
			found = append(found, p.ID)
		}
	}
	if len(found) > 0 {
		l.route.partitions = found
	}
}
