package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"collect/providers/internal/kafkaclient"
	"collect/runtime/flow"
)

// librdkafka is the engine on confluent-kafka-go. Produce copies each record; its report comes through one channel, with nothing
// of the record in it but the tag. Where tags are not needed, reports are counted.
type librdkafka struct {
	s       *Sink
	brokers []string
	p       *kafka.Producer
	cause   *kafkaclient.Cause
	loops   sync.WaitGroup
	msg     kafka.Message // reused: the library keeps nothing of it
	headers []kafka.Header
	lanes   *lanes
	route   route
	how     manner
	ended   chan struct{} // closed when it is given up
}

// deliveryTimeout bounds how long a record may be under way, unless a property says otherwise. Brokers that fail over need about twelve seconds.
const deliveryTimeout = time.Minute

func connectLibrdkafka(s *Sink, brokers []string, how manner) (client, error) {
	if err := s.cfg.Provider.CheckFiles(s.env.FS); err != nil {
		return nil, err
	}
	m := s.cfg.Provider.Map(brokers)
	for name, v := range (kafka.ConfigMap{
		"acks":                         s.cfg.Acks,
		"enable.idempotence":           s.cfg.Idempotent,
		"compression.type":             s.cfg.Compression,
		"linger.ms":                    strconv.FormatFloat(float64(s.cfg.Linger)/1e6, 'f', -1, 64),
		"partitioner":                  s.cfg.Partitioner,
		"queue.buffering.max.kbytes":   window >> 10,
		"queue.buffering.max.messages": queued,
		"batch.num.messages":           50_000,
		"statistics.interval.ms":       0,
		"go.delivery.report.fields":    "none",
		"go.events.channel.size":       1 << 14,
		"go.produce.channel.size":      1,
	}) {
		m[name] = v
	}
	limit, err := patience(m)
	if err != nil {
		return nil, err
	}
	if n := how.batch; n > 0 {
		m["batch.size"] = n
	}
	if how.alone {
		m["batch.num.messages"], m["linger.ms"] = 1, 0
	}
	p, err := kafka.NewProducer(&m)
	if err != nil {
		return nil, err
	}
	l := &librdkafka{s: s, brokers: brokers, p: p, cause: &kafkaclient.Cause{}, lanes: newLanes(), how: how, ended: make(chan struct{})}
	l.loops.Go(l.reports)
	l.loops.Go(func() { l.expire(limit) })
	l.loops.Go(func() { l.cause.Follow(p.Logs(), l.log) })
	return l, nil
}

// log passes what the library has to say on; failures to connect are told with the errors they cause.
func (l *librdkafka) log(e kafka.LogEvent) {
	switch {
	case e.Tag == "FAIL" || e.Tag == "ERROR":
		l.s.env.Log.Debug("kafka client", "tag", e.Tag, "text", e.Message)
	case e.Level <= 4:
		l.s.env.Log.Warn("kafka client", "tag", e.Tag, "text", e.Message)
	default:
		l.s.env.Log.Debug("kafka client", "tag", e.Tag, "text", e.Message)
	}
}

// reports hands reports to their batches until the client is closed. Many come at once; reading them in bulk, after a moment's
// rest, costs less than being woken for each.
func (l *librdkafka) reports() {
	for e := range l.p.Events() {
		l.report(e)
		n := l.drain()
		l.lanes.tell()
		if n > 100 {
			time.Sleep(time.Millisecond)
		}
	}
}

// drain reads the reports that are there.
func (l *librdkafka) drain() (n int) {
	for ; ; n++ {
		select {
		case e, ok := <-l.p.Events():
			if !ok {
				return n
			}
			l.report(e)
		default:
			return n
		}
	}
}

func (l *librdkafka) report(e kafka.Event) {
	switch e := e.(type) {
	case *kafka.Message:
		t, tagged := e.Opaque.(*tag)
		err := e.TopicPartition.Error
		if err != nil {
			err = l.explain(err, l.nameOf(e))
		}
		switch {
		case tagged:
			t.reported(err)
		case err != nil:
			l.untagged(err)
		default:
			if err := l.lanes.delivered(e.TopicPartition.Partition, int64(e.TopicPartition.Offset)); err != nil {
				l.untagged(err)
			}
		}
	case kafka.Error:
		l.trouble(e)
	}
}

// untagged handles the failure of a record that is not known.
func (l *librdkafka) untagged(err error) {
	if flow.IsPermanent(err) { // so this is about an event that nobody can name: alone it can be
		err = &refusal{err: errors.New(err.Error())}
	}
	l.s.refused(err)
	err = together(err)
	l.lanes.failed(err)
	l.s.fault(err)
}

// nameOf gives the topic of a report, where it has one.
func (l *librdkafka) nameOf(m *kafka.Message) string {
	if m.TopicPartition.Topic != nil {
		return *m.TopicPartition.Topic
	}
	if l.s.records.topic != nil {
		return *l.s.records.topic
	}
	return ""
}

// trouble handles what is about the client and not about a record.
func (l *librdkafka) trouble(e kafka.Error) {
	if e.IsFatal() {
		l.s.fault(fmt.Errorf("kafka client failed: %w", e))
		return
	}
	err := l.cause.Wrap(l.brokers, "produce", e)
	if st := l.s.env.Stats; st != nil {
		st.Error(err)
	}
}

// explain says whether trying again is useless, and names broker and cause.
func (l *librdkafka) explain(err error, topic string) error {
	var k kafka.Error
	if !errors.As(err, &k) {
		return err
	}
	switch k.Code() {
	case kafka.ErrMsgSizeTooLarge, kafka.ErrInvalidMsgSize, kafka.ErrRecordListTooLarge:
		return &refusal{topic: topic, size: true, err: fmt.Errorf("kafka topic %s: %w", topic, err)}
	case kafka.ErrInvalidMsg, kafka.ErrPolicyViolation, kafka.ErrInvalidTimestamp, kafka.ErrInvalidRecord:
		return &refusal{topic: topic, err: fmt.Errorf("kafka topic %s: %w", topic, err)}
	case kafka.ErrTopicException, kafka.ErrInvalidPartitions, kafka.ErrUnknownPartition:
		return flow.Permanent(fmt.Errorf("kafka topic %s: %w", topic, err))
	case kafka.ErrPurgeQueue, kafka.ErrPurgeInflight:
		return errGivenUp
	case kafka.ErrUnknownTopicOrPart, kafka.ErrUnknownTopic:
		return l.cause.Wrap(l.brokers, "produce to topic "+topic+", which does not exist", err)
	}
	return l.cause.Wrap(l.brokers, "produce to topic "+topic, err)
}

func (l *librdkafka) send(_ context.Context, r *record, t *tag) error {
	m := &l.msg
	m.TopicPartition = kafka.TopicPartition{Topic: r.topic, Partition: r.partition}
	counted := l.lanes.current != nil
	m.Key, m.Value, m.Opaque = r.key, r.value, nil
	switch {
	case counted:
		m.TopicPartition.Partition = l.lanes.current.partition
	case r.partition < 0:
		m.TopicPartition.Partition = kafka.PartitionAny
		m.Opaque = t
	default:
		m.Opaque = t
	}
	m.Timestamp = time.Time{}
	if r.time > 0 {
		m.Timestamp = time.Unix(0, r.time)
	}
	l.headers = l.headers[:0]
	for _, h := range r.headers {
		l.headers = append(l.headers, kafka.Header{Key: h.name, Value: h.value})
	}
	m.Headers = l.headers
	err := l.p.Produce(m, nil)
	if err == nil {
		if counted {
			l.lanes.sent()
			l.route.filled += len(r.value)
		}
		return nil
	}
	k, ok := err.(kafka.Error)
	switch {
	case ok && k.Code() == kafka.ErrQueueFull:
		return errFull
	case ok && k.Code() == kafka.ErrUnknownPartition && counted: // our choice, not the event's
		return l.cause.Wrap(l.brokers, "produce to topic "+*r.topic+", whose partitions have changed", err)
	}
	err = l.explain(err, *r.topic)
	if isRefusal(err) { // by the library, before it shared a request with others
		return flow.Permanent(err)
	}
	return err
}

// flush ends a long wait for company. Flush may still be at work inside the library for the time given when it returns, so that is
// short, and nothing closes the client within it.
func (l *librdkafka) flush() {
	if l.s.cfg.Linger > 50*time.Millisecond {
		l.p.Flush(1)
		time.Sleep(2 * time.Millisecond)
	}
}

func (l *librdkafka) abandon() bool {
	// Purging fails what is queued and what is on the way; their reports come soon, unless a thread of the library hangs, as in a
	// question for a host's address. Closing waits for that, and ends the reports: what has none then will have none.
	_ = l.p.Purge(kafka.PurgeQueue | kafka.PurgeInFlight) // it only fails on a closed client
	for end := time.Now().Add(5 * time.Second); l.p.Len() > 0 && time.Now().Before(end); {
		time.Sleep(2 * time.Millisecond)
	}
	l.p.Close()
	close(l.ended)
	l.loops.Wait()
	l.lanes.giveUp()
	return true
}
