package kafkaclient

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

const (
	// callTimeout bounds one admin call to brokers that may still answer.
	callTimeout = 10 * time.Second
	// refusedTimeout bounds one where all brokers refuse connections: enough for several attempts, on each of a host's addresses.
	refusedTimeout = 1500 * time.Millisecond
)

// Topic is a topic as the brokers describe it.
type Topic struct {
	Name       string
	ID         string
	Partitions int
	Replicas   int // of the first partition
	Internal   bool
	Config     map[string]Entry
}

// Entry is one setting of a topic.
type Entry struct {
	Value   string
	Own     bool   // set for this topic, not the broker's default
	Default string // what counts without Own; "" when the broker does not say
}

// Spec is a topic to be made.
type Spec struct {
	Name       string
	Partitions int
	Replicas   int // 0: the broker's default
	Config     map[string]string
}

// Admin carries out the calls of the control plane.
type Admin struct {
	brokers []string
	client  *kafka.AdminClient
	cause   *Cause
	logs    sync.WaitGroup
}

// NewAdmin makes a client; it connects at the first call.
func NewAdmin(cfg Config, brokers []string) (*Admin, error) {
	m := cfg.Map(brokers)
	c, err := kafka.NewAdminClient(&m)
	if err != nil {
		return nil, fmt.Errorf("kafka %s: %w", strings.Join(brokers, ","), err)
	}
	a := &Admin{brokers: brokers, client: c, cause: &Cause{}}
	a.logs.Go(func() { a.cause.Follow(c.Logs(), nil) })
	return a, nil
}

// Close ends the client.
func (a *Admin) Close() {
	a.client.Close()
	a.logs.Wait()
}

func (a *Admin) call(ctx context.Context, doing string, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	refused := false
	var watch sync.WaitGroup
	watch.Go(func() { refused = a.refused(ctx); cancel() })
	err := f(ctx)
	cancel()
	watch.Wait()
	switch {
	case err == nil:
		a.cause.Clear()
	case refused && errors.Is(err, context.Canceled):
		err = context.DeadlineExceeded
	}
	return a.cause.Wrap(a.brokers, doing, err)
}

// refused waits until it is no use to wait any longer, because all brokers go on refusing connections, or until ctx ends.
func (a *Admin) refused(ctx context.Context) bool {
	for wait := refusedTimeout; ; wait = refusedTimeout / 10 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return false
		}
		if a.cause.allRefuse(a.brokers) {
			return true
		}
	}
}

// ClusterID gives the cluster's id. It is the cheapest way to find out whether brokers answer.
func (a *Admin) ClusterID(ctx context.Context) (id string, err error) {
	err = a.call(ctx, "ask for the cluster id", func(ctx context.Context) error {
		d, err := a.client.DescribeCluster(ctx, kafka.SetAdminRequestTimeout(callTimeout))
		if err == nil && d.ClusterID != nil {
			id = *d.ClusterID
		}
		return err
	})
	return id, err
}

// Describe describes those of the named topics that exist.
func (a *Admin) Describe(ctx context.Context, names []string) (map[string]*Topic, error) {
	out := map[string]*Topic{}
	if len(names) == 0 {
		return out, nil
	}
	err := a.call(ctx, "describe topics", func(ctx context.Context) error {
		res, err := a.client.DescribeTopics(ctx, kafka.NewTopicCollectionOfTopicNames(names), kafka.SetAdminRequestTimeout(callTimeout))
		if err != nil {
			return err
		}
		for _, d := range res.TopicDescriptions {
			switch d.Error.Code() {
			case kafka.ErrNoError:
				out[d.Name] = fromDescription(d)
			case kafka.ErrUnknownTopicOrPart, kafka.ErrUnknownTopic:
			default:
				return fmt.Errorf("topic %s: %w", d.Name, d.Error)
			}
		}
		return nil
	})
	if err != nil || len(out) == 0 {
		return out, err
	}
	return out, a.describeConfigs(ctx, out)
}

func fromDescription(d kafka.TopicDescription) *Topic {
	t := &Topic{Name: d.Name, ID: d.TopicID.String(), Partitions: len(d.Partitions), Internal: d.IsInternal, Config: map[string]Entry{}}
	if len(d.Partitions) > 0 {
		t.Replicas = len(d.Partitions[0].Replicas)
	}
	return t
}

func (a *Admin) describeConfigs(ctx context.Context, topics map[string]*Topic) error {
	names := make([]string, 0, len(topics))
	for n := range topics {
		names = append(names, n)
	}
	slices.Sort(names)
	var ask []kafka.ConfigResource
	for _, n := range names {
		ask = append(ask, kafka.ConfigResource{Type: kafka.ResourceTopic, Name: n})
	}
	return a.call(ctx, "read the settings of topics", func(ctx context.Context) error {
		res, err := a.client.DescribeConfigs(ctx, ask, kafka.SetAdminRequestTimeout(callTimeout))
		if err != nil {
			return err
		}
		for _, r := range res {
			if r.Error.Code() == kafka.ErrUnknownTopicOrPart {
				delete(topics, r.Name) // gone since
				continue
			}
			if r.Error.Code() != kafka.ErrNoError {
				return fmt.Errorf("topic %s: %w", r.Name, r.Error)
			}
			for name, e := range r.Config {
				topics[r.Name].Config[name] = entry(e)
			}
		}
		return nil
	})
}

func entry(e kafka.ConfigEntryResult) Entry {
	out := Entry{Value: e.Value, Own: e.Source == kafka.ConfigSourceDynamicTopic}
	if !out.Own {
		out.Default = e.Value
		return out
	}
	for _, source := range []kafka.ConfigSource{kafka.ConfigSourceDynamicBroker, kafka.ConfigSourceDynamicDefaultBroker, kafka.ConfigSourceStaticBroker, kafka.ConfigSourceDefault} {
		for _, s := range e.Synonyms {
			if s.Source == source && out.Default == "" {
				out.Default = s.Value
			}
		}
	}
	return out
}

// Create makes a topic. One that exists is kafka.ErrTopicAlreadyExists.
func (a *Admin) Create(ctx context.Context, s Spec) error {
	replicas := s.Replicas
	if replicas == 0 {
		replicas = -1
	}
	return a.call(ctx, "create topic "+s.Name, func(ctx context.Context) error {
		res, err := a.client.CreateTopics(ctx, []kafka.TopicSpecification{{
			Topic: s.Name, NumPartitions: s.Partitions, ReplicationFactor: replicas, Config: s.Config,
		}}, kafka.SetAdminOperationTimeout(callTimeout))
		return firstError(res, err)
	})
}

func firstError(res []kafka.TopicResult, err error) error {
	if err != nil {
		return err
	}
	for _, r := range res {
		if r.Error.Code() != kafka.ErrNoError {
			return r.Error
		}
	}
	return nil
}

// Delete deletes a topic. One that does not exist is no error.
func (a *Admin) Delete(ctx context.Context, name string) error {
	return a.call(ctx, "delete topic "+name, func(ctx context.Context) error {
		err := firstError(a.client.DeleteTopics(ctx, []string{name}, kafka.SetAdminOperationTimeout(callTimeout)))
		if k, ok := err.(kafka.Error); ok && k.Code() == kafka.ErrUnknownTopicOrPart {
			return nil
		}
		return err
	})
}

// AddPartitions grows a topic to a number of partitions.
func (a *Admin) AddPartitions(ctx context.Context, name string, total int) error {
	return a.call(ctx, fmt.Sprintf("grow topic %s to %d partitions", name, total), func(ctx context.Context) error {
		return firstError(a.client.CreatePartitions(ctx, []kafka.PartitionsSpecification{{Topic: name, IncreaseTo: total}},
			kafka.SetAdminOperationTimeout(callTimeout)))
	})
}

// Alter sets some settings of a topic, and returns others to the broker's default.
func (a *Admin) Alter(ctx context.Context, name string, set map[string]string, reset []string) error {
	var entries []kafka.ConfigEntry
	for _, k := range sortedKeys(set) {
		entries = append(entries, kafka.ConfigEntry{Name: k, Value: set[k], IncrementalOperation: kafka.AlterConfigOpTypeSet})
	}
	for _, k := range reset {
		entries = append(entries, kafka.ConfigEntry{Name: k, IncrementalOperation: kafka.AlterConfigOpTypeDelete})
	}
	if len(entries) == 0 {
		return nil
	}
	return a.call(ctx, "alter the settings of topic "+name, func(ctx context.Context) error {
		res, err := a.client.IncrementalAlterConfigs(ctx, []kafka.ConfigResource{{Type: kafka.ResourceTopic, Name: name, Config: entries}},
			kafka.SetAdminRequestTimeout(callTimeout))
		if err != nil {
			return err
		}
		for _, r := range res {
			if r.Error.Code() != kafka.ErrNoError {
				return r.Error
			}
		}
		return nil
	})
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Records gives the number of records that a topic holds, as the difference of offsets.
func (a *Admin) Records(ctx context.Context, t *Topic) (n int64, err error) {
	err = a.call(ctx, "count the records of topic "+t.Name, func(ctx context.Context) error {
		first, err := a.offsets(ctx, t, kafka.EarliestOffsetSpec)
		if err != nil {
			return err
		}
		last, err := a.offsets(ctx, t, kafka.LatestOffsetSpec)
		if err != nil {
			return err
		}
		n = last - first
		return nil
	})
	return n, err
}

// MaxBatch asks how large a batch of records a topic takes. Who may write does not always know.
func MaxBatch(ctx context.Context, cfg Config, brokers []string, topic string) (int, error) {
	a, err := NewAdmin(cfg, brokers)
	if err != nil {
		return 0, err
	}
	defer a.Close()
	found := map[string]*Topic{topic: {Config: map[string]Entry{}}}
	if err := a.describeConfigs(ctx, found); err != nil {
		return 0, err
	}
	if found[topic] == nil {
		return 0, fmt.Errorf("there is no topic %s", topic)
	}
	return strconv.Atoi(found[topic].Config["max.message.bytes"].Value)
}

// Written gives the sum of the end offsets of a topic: it grows with every record, whatever the brokers delete meanwhile.
func (a *Admin) Written(ctx context.Context, t *Topic) (n int64, err error) {
	err = a.call(ctx, "read the ends of topic "+t.Name, func(ctx context.Context) error {
		n, err = a.offsets(ctx, t, kafka.LatestOffsetSpec)
		return err
	})
	return n, err
}

func (a *Admin) offsets(ctx context.Context, t *Topic, spec kafka.OffsetSpec) (int64, error) {
	ask := map[kafka.TopicPartition]kafka.OffsetSpec{}
	for p := range t.Partitions {
		ask[kafka.TopicPartition{Topic: &t.Name, Partition: int32(p)}] = spec
	}
	res, err := a.client.ListOffsets(ctx, ask, kafka.SetAdminRequestTimeout(callTimeout))
	if err != nil {
		return 0, err
	}
	var sum int64
	for tp, r := range res.ResultInfos {
		if r.Error.Code() != kafka.ErrNoError {
			return 0, fmt.Errorf("partition %d: %w", tp.Partition, r.Error)
		}
		sum += int64(r.Offset)
	}
	return sum, nil
}
