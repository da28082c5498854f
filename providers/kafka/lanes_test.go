package kafka

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

// counted feeds lanes with batches "a", "b", and so on, whose fates are noted as they are told.
type counted struct {
	t     *testing.T
	s     *Sink
	l     *lanes
	pool  *flow.Pool
	fates []string
}

func newCounted(t *testing.T) *counted {
	s := providertest.Make(t, New, config("librdkafka", "one", []string{"127.0.0.1:1"}), providertest.Env(t)).(*Sink)
	return &counted{t: t, s: s, l: newLanes(), pool: flow.NewPool(1 << 20)}
}

// open sends a batch of n records to a partition; more of it may follow.
func (c *counted) open(name string, partition int32, n int) *inflight {
	b := providertest.SinkBatch(c.pool, 1, make([]string, n))
	b.SetDone(func(_ *flow.Batch, r flow.Result) {
		fate := name
		if r.Err != nil {
			fate += ": " + r.Err.Error()
		}
		c.fates = append(c.fates, fate)
	})
	in := c.s.begin(b)
	c.l.turn(partition)
	for range n {
		c.l.sent()
	}
	return in
}

func (c *counted) close(in *inflight) {
	c.l.close(in)
	in.report(1)
}

func (c *counted) report(partition int32, offsets ...int64) {
	c.t.Helper()
	for _, o := range offsets {
		if err := c.l.delivered(partition, o); err != nil {
			c.t.Errorf("partition %d, offset %d: %v", partition, o, err)
		}
	}
	c.l.tell()
}

func (c *counted) want(fates ...string) {
	c.t.Helper()
	if !slices.Equal(c.fates, fates) {
		c.t.Errorf("got %q, want %q", c.fates, fates)
	}
}

func TestBatchesEndWithTheReportOfTheirLastRecord(t *testing.T) {
	c := newCounted(t)
	c.close(c.open("a", 0, 2))
	c.close(c.open("b", 0, 1))
	c.close(c.open("c", 1, 1))
	c.report(0, 10)
	c.want()
	c.report(1, -1001) // the broker had it already, and does not say where
	c.want("c")
	c.report(0, 11, 12)
	c.want("c", "a", "b")
}

func TestReportsMayBeReadWhileTheBatchIsBeingSent(t *testing.T) {
	c := newCounted(t)
	in := c.open("a", 0, 2)
	c.report(0, 0, 1)
	c.want()
	c.close(in)
	c.want("a")
}

func TestAfterAFailedReportNothingCounts(t *testing.T) {
	c := newCounted(t)
	for i, name := range []string{"a", "b", "c"} {
		c.close(c.open(name, int32(i%2), 1))
	}
	c.report(0, 0)
	c.want("a")
	c.l.failed(errors.New("no"))
	c.l.failed(errors.New("not either"))
	c.report(0, 1)
	c.report(1, 0)
	late := c.open("d", 0, 1)
	c.close(late)
	c.want("a")
	c.l.giveUp()
	slices.Sort(c.fates)
	c.want("a", "b: no", "c: no", "d: no")
}

func TestReportsThatCannotBeAreNoticed(t *testing.T) {
	c := newCounted(t)
	c.close(c.open("a", 0, 3))
	c.report(0, 7)
	if err := c.l.delivered(0, 7); !errors.Is(err, errOrder) {
		t.Errorf("got %v", err)
	}
	if err := c.l.delivered(5, 0); err == nil {
		t.Error("a partition that got nothing has a report")
	}
}

// refusing makes a broker refuse requests that hold a word.
func refusing(t *testing.T, word string) (brokers []string) {
	c := cluster(t)
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := r.(*kmsg.ProduceRequest)
		for _, topic := range req.Topics {
			for _, p := range topic.Partitions {
				if strings.Contains(string(p.Records), word) {
					return refuse(req), nil, true
				}
			}
		}
		return nil, nil, false
	})
	return c.ListenAddrs()
}

func refuse(req *kmsg.ProduceRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	for _, topic := range req.Topics {
		st := kmsg.NewProduceResponseTopic()
		st.Topic, st.TopicID = topic.Topic, topic.TopicID
		for _, p := range topic.Partitions {
			sp := kmsg.NewProduceResponseTopicPartition()
			sp.Partition, sp.ErrorCode = p.Partition, kerr.MessageTooLarge.Code
			st.Partitions = append(st.Partitions, sp)
		}
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}

func TestTheEventThatTheBrokerRefusesIsFound(t *testing.T) {
	t.Parallel()
	brokers := refusing(t, "poison")
	cfg := config("librdkafka", "one", brokers)
	cfg.Compression = "none"
	env := providertest.Env(t)
	s := providertest.Make(t, New, cfg, env).(*Sink)
	s.search.after = time.Hour
	d := providertest.Open(t, s, env)
	d.Must([]string{"good"})
	d.Flush()
	d.Must([]string{"poison"})
	d.Flush()
	if r, _ := d.Result(2); r.Err == nil || flow.IsPermanent(r.Err) || !r.Unknown || !strings.Contains(r.Err.Error(), "refused") {
		t.Errorf("while nobody knows which event it is: %+v", r)
	}
	d.Retry()
	if r, _ := d.Result(2); r.Err != nil || len(r.Events) != 1 || r.Events[0].Index != 0 || !flow.IsPermanent(r.Events[0].Err) {
		t.Errorf("sent again: %+v", r)
	}
	d.Must([]string{"poison"}) // now that events go alone, the next one is found at once
	d.Must([]string{"good too"})
	d.Flush()
	if r, _ := d.Result(3); r.Err != nil || len(r.Events) != 1 {
		t.Errorf("the next one: %+v", r)
	}
	if r, _ := d.Result(4); r.Err != nil || len(r.Events) != 0 {
		t.Errorf("its neighbour: %+v", r)
	}
	d.Close()
	if got := values(consume(t, brokers, "one")); got[0] != "good" || !slices.Contains(got, "good too") || slices.Contains(got, "poison") {
		t.Errorf("one holds %q", got)
	}
}

func TestRecordsWithoutKeyUseAllPartitionsInLargePieces(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	d := start(t, config("librdkafka", "four", c.ListenAddrs()), providertest.Env(t))
	body := strings.Repeat("x", 1000)
	for range 12 {
		d.Must(slices.Repeat([]string{body}, turnAfter/len(body)+1))
	}
	d.Flush()
	d.Close()
	got := map[int32]int{}
	for _, r := range consume(t, c.ListenAddrs(), "four") {
		got[r.Partition]++
	}
	for p := range int32(4) {
		if got[p] != 3*(turnAfter/len(body)+1) {
			t.Errorf("records by partition: %v", got)
		}
	}
}
