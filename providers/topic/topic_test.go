package topic

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"collect/hclspec/schema"
	"collect/planner/resource"
	"collect/providers/internal/kafkaclient"
	"collect/testdata/servertest"
)

func TestMain(m *testing.M) { os.Exit(servertest.Main(m)) }

func broker(t *testing.T, id string) string {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ClusterID(id), kfake.BrokerConfigs(map[string]string{"default.replication.factor": "1"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()[0]
}

// world is a cluster, a configuration and a state.
type world struct {
	t     *testing.T
	kind  *Topics
	addr  string
	known map[string]*resource.Known
	lines []string
}

func newWorld(t *testing.T, addr string) *world {
	return &world{t: t, kind: New(Options{Wait: 10, Resolve: func(string) (string, error) { return addr, nil }}), addr: addr, known: map[string]*resource.Known{}}
}

func (w *world) object(name string, config map[string]any) *resource.Object {
	want := map[string]any{"name": name, "provider": map[string]any{"brokers": []any{w.addr}}}
	for k, v := range config {
		want[k] = v
	}
	return &resource.Object{Address: "topic." + strings.ReplaceAll(name, "-", "_"), Kind: "topic", Want: want, Places: map[string]string{"partitions": "main.hcl:3"}}
}

// plan reads and compares one object; gone is the address of one that is not wanted.
func (w *world) plan(o *resource.Object, gone string) (*resource.Change, error) {
	w.t.Helper()
	address := gone
	var want []*resource.Object
	if o != nil {
		want, address = []*resource.Object{o}, o.Address
	}
	var known []*resource.Known
	for _, k := range w.known {
		known = append(known, k)
	}
	lives, err := w.kind.Read(w.t.Context(), want, known)
	if err != nil {
		w.t.Fatal(err)
	}
	var live *resource.Live
	for _, l := range lives {
		if l.Address == address {
			live = l
		}
	}
	return w.kind.Diff(w.t.Context(), o, live, w.known[address], resource.DiffOptions{})
}

func (w *world) apply(o *resource.Object, gone string, confirmed map[string]int64) (*resource.Change, error) {
	w.t.Helper()
	ch, err := w.plan(o, gone)
	if err != nil {
		return nil, err
	}
	if ch == nil || ch.Action == resource.NoOp {
		return ch, nil
	}
	k, err := w.kind.Apply(w.t.Context(), ch, o, resource.ApplyOptions{Report: func(l string) { w.lines = append(w.lines, l) }, Confirmed: confirmed})
	if err != nil {
		return ch, err
	}
	if k == nil {
		delete(w.known, ch.Address)
	} else {
		w.known[ch.Address] = k
	}
	return ch, nil
}

func (w *world) must(o *resource.Object, gone string, want resource.Action) *resource.Change {
	w.t.Helper()
	ch, err := w.apply(o, gone, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if got := ch.Action; got != want {
		w.t.Fatalf("action %q, want %q: %+v", got, want, ch)
	}
	return ch
}

func (w *world) produce(topic string, n int) {
	w.t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(w.addr))
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	for i := range n {
		if err := c.ProduceSync(w.t.Context(), &kgo.Record{Topic: topic, Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
	}
}

func paths(ch *resource.Change) []string {
	var out []string
	for _, it := range ch.Items {
		out = append(out, fmt.Sprintf("%s %s %v -> %v", it.Action, it.Path, it.Before, it.After))
	}
	return out
}

// life is the whole life of a topic; it runs against kfake and against a real Kafka.
func life(t *testing.T, addr string) {
	w := newWorld(t, addr)
	ch := w.must(w.object("life", map[string]any{"partitions": 2.0, "config": map[string]any{"retention.ms": "60000", "cleanup.policy": "compact,delete"}}), "", resource.Create)
	want := []string{"create partitions <nil> -> 2", "create config.cleanup.policy <nil> -> compact,delete", "create config.retention.ms <nil> -> 60000"}
	if diff := cmp.Diff(want, paths(ch)); diff != "" {
		t.Error(diff)
	}
	w.must(w.object("life", map[string]any{"partitions": 2.0, "config": map[string]any{"retention.ms": "60000", "cleanup.policy": "delete, compact"}}), "", resource.NoOp)

	grown := w.object("life", map[string]any{"partitions": 4.0, "config": map[string]any{"retention.ms": "70000"}})
	ch = w.must(grown, "", resource.Update)
	got := paths(ch)
	if len(got) != 3 || got[0] != "update partitions 2 -> 4" || got[1] != "update config.retention.ms 60000 -> 70000" || !strings.HasPrefix(got[2], "delete config.cleanup.policy compact,delete -> ") {
		t.Errorf("items %q", got)
	}
	if ch.Items[0].Note == "" || ch.Items[0].Place != "main.hcl:3" {
		t.Errorf("item %+v", ch.Items[0])
	}
	w.must(grown, "", resource.NoOp)

	for _, tc := range []struct {
		config map[string]any
		want   string
	}{
		{map[string]any{"partitions": 3.0}, "partitions can only grow (4 -> 3)"},
		{map[string]any{"partitions": 4.0, "replication_factor": 3.0}, "replication_factor cannot be changed (1 -> 3)"},
	} {
		_, err := w.plan(w.object("life", tc.config), "")
		var p *resource.Problem
		if !errors.As(err, &p) || p.Summary != tc.want || p.Path == "" || p.Detail == "" {
			t.Errorf("got %v, want %q", err, tc.want)
		}
	}
	renamed := w.object("other", nil)
	renamed.Address = "topic.life"
	if _, err := w.plan(renamed, ""); err == nil || !strings.Contains(err.Error(), "cannot be renamed") {
		t.Errorf("got %v", err)
	}

	w.produce("life", 5)
	ch, err := w.apply(nil, "topic.life", nil)
	if err == nil || !strings.Contains(err.Error(), "-confirm-loss=topic.life") {
		t.Errorf("got %v", err)
	}
	if len(ch.Loss) != 1 || ch.Loss[0].Events != 5 || ch.Loss[0].What != "records" {
		t.Errorf("loss %+v", ch.Loss)
	}
	if _, err := w.apply(nil, "topic.life", map[string]int64{"topic.life": 4}); err == nil || !strings.Contains(err.Error(), "plan again") {
		t.Errorf("got %v", err)
	}
	if _, err := w.apply(nil, "topic.life", map[string]int64{"topic.life": 5}); err != nil {
		t.Fatal(err)
	}
	if ch, err := w.plan(nil, "topic.life"); err != nil || ch != nil {
		t.Errorf("after delete: %+v %v", ch, err)
	}
}

func TestTheLifeOfATopic(t *testing.T)        { life(t, broker(t, "c")) }
func TestTheLifeOfATopicOnKafka(t *testing.T) { life(t, servertest.Kafka(t)) }

func TestATopicThatExistsIsAdoptedAndNeverDeleted(t *testing.T) {
	w := newWorld(t, broker(t, "c"))
	other := newWorld(t, w.addr)
	other.must(other.object("theirs", map[string]any{"partitions": 3.0}), "", resource.Create)
	mine := w.object("theirs", map[string]any{"partitions": 3.0})
	if ch := w.must(mine, "", resource.Adopt); ch.Reason == "" {
		t.Error("adoption is not explained")
	}
	w.must(mine, "", resource.NoOp)
	w.must(w.object("theirs", map[string]any{"partitions": 3.0, "config": map[string]any{"retention.ms": "1"}}), "", resource.Update)
	w.produce("theirs", 1)
	w.must(nil, "topic.theirs", resource.Forget)
	other.must(other.object("theirs", map[string]any{"partitions": 3.0}), "", resource.NoOp)
}

func TestDeletedStateAdoptsAndChangesInOneStep(t *testing.T) {
	w := newWorld(t, broker(t, "c"))
	w.must(w.object("t", map[string]any{"partitions": 1.0}), "", resource.Create)
	w.known = map[string]*resource.Known{}
	ch := w.must(w.object("t", map[string]any{"partitions": 2.0}), "", resource.Update)
	if !strings.Contains(ch.Reason, "adopted") || w.known["topic.t"].Origin != resource.Adopted {
		t.Errorf("%+v, %+v", ch, w.known["topic.t"])
	}
}

func TestATopicThatSomebodyMadeAnewIsNotDeleted(t *testing.T) {
	w := newWorld(t, broker(t, "c"))
	o := w.object("t", nil)
	w.must(o, "", resource.Create)
	planned, err := w.plan(nil, "topic.t")
	if err != nil || planned.Action != resource.Delete {
		t.Fatalf("%+v %v", planned, err)
	}
	other := newWorld(t, w.addr)
	other.known = map[string]*resource.Known{"topic.t": w.known["topic.t"]}
	other.must(nil, "topic.t", resource.Delete)
	other.must(o, "", resource.Create)
	if _, err := w.kind.Apply(t.Context(), planned, nil, resource.ApplyOptions{}); err == nil || !strings.Contains(err.Error(), "made anew") {
		t.Errorf("got %v", err)
	}
	w.must(nil, "topic.t", resource.Forget)
}

func TestApplyCanBeRepeatedAfterAKill(t *testing.T) {
	w := newWorld(t, broker(t, "c"))
	o := w.object("t", map[string]any{"partitions": 2.0, "config": map[string]any{"retention.ms": "5"}})
	ch, err := w.plan(o, "")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // as if the first one was killed before state was written
		if _, err := w.kind.Apply(t.Context(), ch, o, resource.ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	w.must(o, "", resource.Adopt)
}

func TestIgnoredChangesAreLeftAlone(t *testing.T) {
	w := newWorld(t, broker(t, "c"))
	w.must(w.object("t", map[string]any{"partitions": 3.0, "config": map[string]any{"retention.ms": "5"}}), "", resource.Create)
	o := w.object("t", map[string]any{"partitions": 1.0, "config": map[string]any{"retention.ms": "6"}})
	o.IgnoreChanges = []string{"partitions", "config.retention.ms"}
	w.must(o, "", resource.NoOp)
}

func TestTheDevelopmentBrokerTakesWhatKafkaTakes(t *testing.T) {
	addr := broker(t, kafkaclient.DevelopmentCluster)
	w := newWorld(t, addr)
	w.addr = kafkaclient.DevelopmentBroker
	o := w.object("t", map[string]any{"replication_factor": 3.0, "config": map[string]any{"segment.ms": "60000", "unclean.leader.election.enable": "true"}})
	w.must(o, "", resource.Create)
	w.must(o, "", resource.NoOp)
	w.addr = addr
	w.produce("t", 3)
	w.addr = kafkaclient.DevelopmentBroker
	ch := w.must(nil, "topic.t", resource.Delete) // needs no confirmation
	if len(ch.Loss) != 0 || !strings.Contains(ch.Note, "3 records") {
		t.Errorf("%+v", ch)
	}
}

func TestWithoutADevelopmentBrokerThereAreNoTopics(t *testing.T) {
	w := newWorld(t, kafkaclient.DevelopmentBroker)
	w.kind = New(Options{Resolve: func(string) (string, error) { return "", fmt.Errorf("x: %w", ErrAbsent) }})
	ch, err := w.plan(w.object("t", nil), "")
	if err != nil || ch.Action != resource.Create {
		t.Errorf("%+v %v", ch, err)
	}
}

func TestAnUnreachableClusterIsAnErrorAndNeverADifference(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	k := New(Options{})
	w := newWorld(t, addr)
	o := w.object("t", nil)
	lives, err := k.Read(t.Context(), []*resource.Object{o}, nil)
	if err != nil || len(lives) != 1 || lives[0].Unread == "" {
		t.Fatalf("%+v %v", lives, err)
	}
	_, err = k.Diff(t.Context(), o, lives[0], nil, resource.DiffOptions{})
	var p *resource.Problem
	if !errors.As(err, &p) || !strings.Contains(p.Detail, addr) || !strings.Contains(p.Detail, "connection refused") {
		t.Errorf("got %v", err)
	}
}

func TestManyTopicsAreReadInOneGo(t *testing.T) {
	w := newWorld(t, broker(t, "c"))
	var want []*resource.Object
	for i := range 20 {
		o := w.object(fmt.Sprintf("t%02d", i), nil)
		want = append(want, o)
		if i%2 == 0 {
			w.must(o, "", resource.Create)
		}
	}
	lives, err := w.kind.Read(t.Context(), want, nil)
	if err != nil || len(lives) != 10 {
		t.Errorf("%d topics, %v", len(lives), err)
	}
}

func TestWrongTopicsAreRefusedOffline(t *testing.T) {
	conf := func(kv ...string) Config {
		c := Defaults()
		c.Config = map[string]string{}
		for i := 0; i < len(kv); i += 2 {
			c.Config[kv[i]] = kv[i+1]
		}
		return c
	}
	with := func(f func(*Config)) Config { c := Defaults(); f(&c); return c }
	for name, tc := range map[string]struct {
		cfg  Config
		want string
	}{
		"bad name":            {with(func(c *Config) { c.Name = "a b" }), "letters, digits"},
		"dots":                {with(func(c *Config) { c.Name = ".." }), "not a topic name"},
		"internal":            {with(func(c *Config) { c.Name = "__x" }), "brokers' own"},
		"no partitions":       {with(func(c *Config) { c.Partitions = 0 }), "partitions"},
		"too many partitions": {with(func(c *Config) { c.Partitions = 1e6 }), "partitions"},
		"negative replicas":   {with(func(c *Config) { c.ReplicationFactor = -1 }), "replication_factor"},
		"unknown setting":     {conf("retention.m", "1"), `Did you mean "retention.ms"?`},
		"not a number":        {conf("retention.ms", "abc"), "not a whole number"},
		"fraction":            {conf("retention.ms", "1.5"), "not a whole number"},
		"too small":           {conf("retention.ms", "-2"), "less than -1"},
		"too large":           {conf("segment.bytes", "99999999999"), "too large"},
		"not a bool":          {conf("preallocate", "yes"), "neither true nor false"},
		"not a word":          {conf("compression.type", "rar"), "not one of"},
		"not a list":          {conf("cleanup.policy", "compact,remove"), "not a list of"},
		"not a ratio":         {conf("min.cleanable.dirty.ratio", "2"), "not between"},
		"impossible isr":      {with(func(c *Config) { c.ReplicationFactor, c.Config = 2, map[string]string{"min.insync.replicas": "3"} }), "nothing could be written"},
		"bad provider":        {with(func(c *Config) { c.Provider.Brokers = []string{"x"} }), "not host:port"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tc.cfg.Validate(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	all := with(func(c *Config) {
		c.Name, c.Partitions, c.Config = "a b", 0, map[string]string{"retention.m": "1", "segment.ms": "x"}
	}).Validate()
	if joined, ok := all.(interface{ Unwrap() []error }); !ok || len(joined.Unwrap()) != 4 {
		t.Errorf("not all that is wrong is told: %v", all)
	}
	if err := conf("retention.ms", "-1", "cleanup.policy", "compact", "min.cleanable.dirty.ratio", "0.5", "preallocate", "true").Validate(); err != nil {
		t.Error(err)
	}
	if b := schema.Of(Defaults()); len(b.Attrs) != 5 {
		t.Errorf("%d attributes", len(b.Attrs))
	}
}

// Every setting in our table must be one that a real Kafka knows, with every bound that we claim.
func TestTheTableAgreesWithKafka(t *testing.T) {
	addr, topic := servertest.Kafka(t), servertest.Unique("table")
	a, err := kafkaclient.NewAdmin(kafkaclient.Defaults(), []string{addr})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := a.Create(t.Context(), kafkaclient.Spec{Name: topic, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	found, err := a.Describe(t.Context(), []string{topic})
	if err != nil {
		t.Fatal(err)
	}
	ours := settings()
	for name, e := range found[topic].Config {
		s, ok := ours[name]
		if !ok {
			t.Errorf("Kafka has the setting %s = %q, which our table lacks", name, e.Value)
			continue
		}
		if why := s.wrong(e.Value); why != "" {
			t.Errorf("Kafka's default %s = %q %s", name, e.Value, why)
		}
	}
	var missing []string
	for name := range ours {
		if _, ok := found[topic].Config[name]; !ok {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		t.Errorf("Kafka does not have %v", missing)
	}
}

func TestValuesThatMeanTheSame(t *testing.T) {
	for _, tc := range []struct {
		key, a, b string
		want      bool
	}{
		{"retention.ms", "1000", "1000", true},
		{"min.cleanable.dirty.ratio", "0.5", "0.50", true},
		{"cleanup.policy", "delete,compact", "compact, delete", true},
		{"retention.ms", "1000", "1001", false},
		{"compression.type", "lz4", "zstd", false},
	} {
		if got := same(tc.key, tc.a, tc.b); got != tc.want {
			t.Errorf("%s: %s and %s: %v", tc.key, tc.a, tc.b, got)
		}
	}
}

func TestATopicMayTakeAnotherNameWhereItMovesToOtherBrokers(t *testing.T) {
	w := newWorld(t, broker(t, "c"))
	w.known["topic.t"] = &resource.Known{
		Address: "topic.t", Kind: "topic", Origin: resource.Created,
		Identity: map[string]string{"cluster": kafkaclient.DevelopmentCluster, "id": "x", "name": "t"},
	}
	o := w.object("t", map[string]any{"name": "lines"})
	if ch := w.must(o, "", resource.Create); !strings.Contains(ch.Reason, "moves to other brokers") {
		t.Errorf("reason %q", ch.Reason)
	}
	w.must(o, "", resource.NoOp)
}

func TestACreationSaysWhyATopicIsMadeAgain(t *testing.T) {
	w := newWorld(t, broker(t, "c"))
	o := w.object("t", nil)
	if ch := w.must(o, "", resource.Create); ch.Reason != "" {
		t.Errorf("a new topic: %q", ch.Reason)
	}
	other := newWorld(t, broker(t, "d"))
	other.known = w.known
	if ch := other.must(other.object("t", nil), "", resource.Create); !strings.Contains(ch.Reason, "on the brokers that are declared now") {
		t.Errorf("on another cluster: %q", ch.Reason)
	}
	third := newWorld(t, other.addr)
	third.must(third.object("t", nil), "", resource.Adopt)
	known := *other.known["topic.t"]
	third.known["topic.t"] = &known
	third.must(nil, "topic.t", resource.Delete)
	if ch := other.must(other.object("t", nil), "", resource.Create); !strings.Contains(ch.Reason, "any more") {
		t.Errorf("deleted by somebody: %q", ch.Reason)
	}
}
