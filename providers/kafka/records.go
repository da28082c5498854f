package kafka

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"collect/hclspec/expr"
	"collect/hclspec/schema"
	"collect/providers/internal/codec"
	"collect/providers/internal/kafkaclient"
	"collect/runtime/flow"
)

// record is one event as the client sends it. Its memory belongs to the batch, or to buffers that live as long.
type record struct {
	topic     *string
	partition int32 // -1: by key
	key       []byte
	value     []byte
	headers   []header
	time      int64 // ns since 1970
}

type header struct {
	name  string
	value []byte
}

// records turns events into records.
type records struct {
	codec     codec.Codec
	headers   bool
	topic     *string            // the only one
	topics    map[string]*string // those that events may choose
	choose    *expr.Program
	key       *expr.Program
	partition *expr.Program
	timestamp *expr.Program
	ev        flow.Event
	scratch   expr.Scratch
	names     map[string]string // header names seen, so that each is made once
	values    []header
}

func newRecords(c Config, env *flow.Env) (*records, error) {
	r := &records{headers: c.Headers && c.Format == "raw", names: map[string]string{}, topics: map[string]*string{}}
	if env != nil {
		r.ev.Host = env.Host
	}
	var err error
	if r.codec, err = codecOf(c.Format); err != nil {
		return nil, err
	}
	if err := r.setTopic(c); err != nil {
		return nil, err
	}
	if r.key, err = compile("key", c.Key, expr.TypeString); err != nil {
		return nil, err
	}
	if r.partition, err = compile("partition", c.Partition, expr.TypeNumber); err != nil {
		return nil, err
	}
	r.timestamp, err = compile("timestamp", c.Timestamp, expr.TypeString)
	return r, err
}

func (r *records) setTopic(c Config) error {
	for _, ref := range c.Topics {
		name := refName(ref)
		if err := kafkaclient.CheckTopicName(name); err != nil {
			return fmt.Errorf("topics: %w", err)
		}
		r.topics[name] = &name
	}
	if !c.Topic.IsSet() {
		return fmt.Errorf("topic is missing")
	}
	if c.Topic.IsConst() {
		name := c.Topic.Text()
		if c.Topic.Ref != nil {
			name = refName(schema.Ref(*c.Topic.Ref))
		}
		if err := kafkaclient.CheckTopicName(name); err != nil {
			return fmt.Errorf("topic: %w", err)
		}
		r.topic = &name
		return nil
	}
	if len(r.topics) == 0 {
		return fmt.Errorf("a topic that depends on the event needs topics, the list of those that it may choose: topics = [topic.a, topic.b]")
	}
	var err error
	r.choose, err = compile("topic", c.Topic, expr.TypeString)
	return err
}

// record makes the record of event i. Its header list is valid until the next call. An error is the event's own.
func (r *records) record(b *flow.Batch, i int, buf []byte, out *record) ([]byte, error) {
	*out = record{topic: r.topic, partition: -1, time: b.Time(i)}
	if r.choose != nil || r.key != nil || r.partition != nil || r.timestamp != nil {
		r.scratch.Reset()
		r.ev.Seek(b, i)
		var err error
		if buf, err = r.evaluate(buf, out); err != nil {
			return buf, err
		}
	}
	out.value, buf = r.codec.Value(buf, b, i)
	if r.headers && b.HasHeaders(i) {
		r.values = r.values[:0]
		b.Headers(i, func(name, value []byte) bool {
			r.values = append(r.values, header{r.name(name), value})
			return true
		})
		out.headers = r.values
	}
	return buf, nil
}

// evaluate fills in what depends on the event. Texts are copied into buf, since the next event overwrites the scratch memory.
func (r *records) evaluate(buf []byte, out *record) ([]byte, error) {
	if r.choose != nil {
		name, err := r.choose.Bytes(&r.ev, &r.scratch)
		if err != nil {
			return buf, fmt.Errorf("topic: %w", err)
		}
		t, ok := r.topics[string(name)]
		if !ok {
			return buf, fmt.Errorf("topic: %.100q is not one of topics", name)
		}
		out.topic = t
	}
	if r.key != nil {
		key, err := r.key.Bytes(&r.ev, &r.scratch)
		if err != nil {
			return buf, fmt.Errorf("key: %w", err)
		}
		start := len(buf)
		buf = append(buf, key...)
		out.key = buf[start:len(buf):len(buf)]
		if out.key == nil {
			out.key = []byte{}
		}
	}
	if r.partition != nil {
		n, err := r.partition.Number(&r.ev, &r.scratch)
		if err != nil {
			return buf, fmt.Errorf("partition: %w", err)
		}
		if n != math.Trunc(n) || n < 0 || n > math.MaxInt32 {
			return buf, fmt.Errorf("partition: %v is not the number of a partition", n)
		}
		out.partition = int32(n)
	}
	if r.timestamp != nil {
		text, err := r.timestamp.Bytes(&r.ev, &r.scratch)
		if err != nil {
			return buf, fmt.Errorf("timestamp: %w", err)
		}
		if out.time, err = parseTime(string(text)); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// parseTime reads milliseconds since 1970 or RFC 3339.
func parseTime(s string) (int64, error) {
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil {
		if ms < 0 || ms > math.MaxInt64/1_000_000 {
			return 0, fmt.Errorf("timestamp: %d ms is out of range", ms)
		}
		return ms * 1_000_000, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() < 1970 || t.Year() > 2261 {
		return 0, fmt.Errorf("timestamp: %.50q is neither RFC 3339 nor milliseconds", s)
	}
	return t.UnixNano(), nil
}

// maxNames bounds the header names that are remembered: they come from events.
const maxNames = 1000

// name gives a header's name as a string, the same one each time.
func (r *records) name(b []byte) string {
	if s, ok := r.names[string(b)]; ok {
		return s
	}
	if len(r.names) >= maxNames {
		clear(r.names)
	}
	s := string(b)
	r.names[s] = s
	return s
}
