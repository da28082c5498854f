package topic

import (
	"slices"
	"strings"
	"testing"

	"collect/hclspec/schema"
	"collect/providers/internal/kafkaclient"
	"collect/testdata/servertest"
)

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
	t.Parallel()
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
