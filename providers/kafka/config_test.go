package kafka

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"collect/hclspec/schema"
	"collect/providers/internal/kafkaclient"
	"collect/providers/providertest"
)

func TestBothEnginesRefuseAKeyThatAllMayRead(t *testing.T) {
	each(t, func(t *testing.T, engine string) {
		key, link := filepath.Join(t.TempDir(), "key"), filepath.Join(t.TempDir(), "link")
		if err := errors.Join(os.WriteFile(key, []byte("x"), 0o600), os.Chmod(key, 0o644), os.Symlink(key, link)); err != nil {
			t.Fatal(err)
		}
		cfg := config(engine, "one", []string{"127.0.0.1:1"})
		cfg.Provider.SecurityProtocol, cfg.Provider.TLS = "ssl", &kafkaclient.TLS{Cert: key, Key: link}
		s := providertest.Make(t, New, cfg, providertest.Env(t))
		err := s.Open(t.Context())
		if err == nil || !strings.Contains(err.Error(), "tls.key: "+link+" may be read by all users") {
			t.Errorf("got %v", err)
		}
		_ = s.Close(t.Context())
	})
}

func TestTheDevelopmentBrokerIsResolved(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	env := providertest.Env(t)
	env.Resolve = func(token string) (string, error) {
		if token != kafkaclient.DevelopmentBroker {
			return "", fmt.Errorf("unknown token %s", token)
		}
		return c.ListenAddrs()[0], nil
	}
	d := start(t, config("librdkafka", "one", []string{kafkaclient.DevelopmentBroker}), env)
	d.Must([]string{"x"})
	d.Flush()
	d.Close()
}

func TestWrongArgumentsAreRefused(t *testing.T) {
	ok := config("librdkafka", "one", []string{"h:1"})
	with := func(f func(*Config)) Config { c := ok; f(&c); return c }
	for name, tc := range map[string]struct {
		cfg  Config
		want string
	}{
		"no topic":              {with(func(c *Config) { c.Topic = schema.Expr{} }), "topic is missing"},
		"internal topic":        {with(func(c *Config) { c.Topic = topicRef("__consumer_offsets") }), "brokers' own"},
		"bad name":              {with(func(c *Config) { c.Topic = topicRef("a b") }), "letters, digits"},
		"long name":             {with(func(c *Config) { c.Topic = topicRef(strings.Repeat("x", 250)) }), "249"},
		"per event, no list":    {with(func(c *Config) { c.Topic = schema.Expr{Src: "event.headers.t"} }), "needs topics"},
		"idempotent and acks 1": {with(func(c *Config) { c.Acks = "1" }), "idempotent needs"},
		"linger":                {with(func(c *Config) { c.Linger = time.Hour }), "linger"},
		"franz and properties":  {with(func(c *Config) { c.Client, c.Provider.Properties = "franz", map[string]string{"client.rack": "x"} }), "franz"},
		"franz and partitioner": {with(func(c *Config) { c.Client, c.Partitioner = "franz", "random" }), "partitioner"},
		"property":              {with(func(c *Config) { c.Provider.Properties = map[string]string{"plugin.library.paths": "x"} }), "loads code"},
		"bad key":               {with(func(c *Config) { c.Key = schema.Expr{Src: "event.heders.x"} }), "key"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tc.cfg.Validate(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	if b := schema.Of(Defaults()); len(b.Attrs) < 10 {
		t.Error("schema is short")
	}
}

func TestTimestamps(t *testing.T) {
	for in, want := range map[string]int64{"1700000000123": 1700000000123e6, "2023-11-14T22:13:20.5Z": 1700000000500e6, "x": -1, "-5": -1, "9999-01-01T00:00:00Z": -1, "": -1} {
		got, err := parseTime(in)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: got %d, %v", in, got, err)
		}
	}
}
