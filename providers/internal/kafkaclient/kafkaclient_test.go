package kafkaclient

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/twmb/franz-go/pkg/kfake"

	"collect/hclspec/schema"
)

func broker(t *testing.T) []string {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{"default.replication.factor": "1"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()
}

func admin(t *testing.T, brokers []string) *Admin {
	t.Helper()
	a, err := NewAdmin(Defaults(), brokers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

func TestTopicsAreMadeReadChangedAndDeleted(t *testing.T) {
	a := admin(t, broker(t))
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(a.Create(ctx, Spec{Name: "cars", Partitions: 3, Config: map[string]string{"retention.ms": "1000", "max.message.bytes": "2000"}}))
	read := func() *Topic {
		t.Helper()
		ts, err := a.Describe(ctx, []string{"cars", "missing"})
		must(err)
		if len(ts) != 1 {
			t.Fatalf("described %v", ts)
		}
		return ts["cars"]
	}
	cars := read()
	if cars.Partitions != 3 || cars.Replicas != 1 || len(cars.ID) < 16 || cars.Config["retention.ms"].Value != "1000" || !cars.Config["retention.ms"].Own {
		t.Errorf("read %+v", cars)
	}
	must(a.AddPartitions(ctx, "cars", 5))
	must(a.Alter(ctx, "cars", map[string]string{"retention.ms": "2000"}, []string{"max.message.bytes"}))
	cars = read()
	if cars.Partitions != 5 || cars.Config["retention.ms"].Value != "2000" || cars.Config["max.message.bytes"].Own {
		t.Errorf("read %+v", cars)
	}
	if n, err := a.Records(ctx, cars); err != nil || n != 0 {
		t.Errorf("%d records, %v", n, err)
	}
	var k kafka.Error
	if err := a.Create(ctx, Spec{Name: "cars", Partitions: 1}); !errors.As(err, &k) || k.Code() != kafka.ErrTopicAlreadyExists {
		t.Errorf("second create: %v", err)
	}
	must(a.Delete(ctx, "cars"))
	must(a.Delete(ctx, "cars"))
	if ts, err := a.Describe(ctx, []string{"cars"}); err != nil || len(ts) != 0 {
		t.Errorf("after delete: %v %v", ts, err)
	}
	if id, err := a.ClusterID(ctx); err != nil || id == "" {
		t.Errorf("cluster id %q, %v", id, err)
	}
}

func TestAnUnreachableBrokerIsNamedWithItsCause(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	a := admin(t, []string{addr})
	_, err = a.Describe(t.Context(), []string{"x"})
	var u *UnreachableError
	if !errors.As(err, &u) || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v", err)
	}
}

func TestLogLinesBecomeCauses(t *testing.T) {
	for line, want := range map[string]string{
		"[thrd:127.0.0.1:9/bootstrap]: 127.0.0.1:9/bootstrap: Connect to ipv4#127.0.0.1:9 failed: Connection refused (after 0ms in state CONNECT)":                                    "127.0.0.1:9: connection refused",
		"[thrd:nohost:9/bootstrap]: nohost:9/bootstrap: Failed to resolve 'nohost:9': Name or service not known (after 3ms in state CONNECT, 1 identical error(s) suppressed)":        "nohost:9: Failed to resolve 'nohost:9': Name or service not known",
		"[thrd:sasl_ssl://h:9/bootstrap]: sasl_ssl://h:9/bootstrap: Connect to ipv6#[::1]:9 failed: Connection refused (after 0ms in state CONNECT, 1 identical error(s) suppressed)": "h:9: connection refused",
		"[thrd:[::1]:9/bootstrap]: [::1]:9/bootstrap: Connect to ipv6#[::1]:9 failed: Connection refused (after 0ms in state CONNECT)":                                                "[::1]:9: connection refused",
		"something else": "something else",
	} {
		if got := Explain(line); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSettingsReachTheLibrary(t *testing.T) {
	c := Defaults()
	c.SecurityProtocol = "sasl_ssl"
	c.SASL = &SASL{Username: "u", Password: "p"}
	c.TLS = &TLS{CA: "/ca.pem", Cert: "/c.pem", Key: "/k.pem", SkipVerify: true}
	c.Properties = map[string]string{"client.rack": "r1"}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	m := c.Map([]string{"a:1", "b:2"})
	for name, want := range (kafka.ConfigMap{
		"bootstrap.servers": "a:1,b:2", "security.protocol": "sasl_ssl", "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "u", "sasl.password": "p",
		"ssl.ca.location": "/ca.pem", "ssl.certificate.location": "/c.pem", "ssl.key.location": "/k.pem",
		"enable.ssl.certificate.verification": false, "client.rack": "r1", "client.id": "collect",
	}) {
		if m[name] != want {
			t.Errorf("%s is %v, want %v", name, m[name], want)
		}
	}
	if schema.Of(c).Attrs == nil {
		t.Error("no schema")
	}
}

// Every property that is allowed must be one that the library knows.
func TestAllowedPropertiesExist(t *testing.T) {
	values := map[string]kafka.ConfigValue{}
	for _, name := range allowed {
		values[name] = nil
	}
	for name := range values {
		m := kafka.ConfigMap{name: "\x01no such value"}
		c, err := kafka.NewAdminClient(&m)
		if err == nil {
			c.Close() // it takes any text
			continue
		}
		if strings.Contains(err.Error(), "No such configuration property") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWrongSettingsAreRefused(t *testing.T) {
	prop := func(name string) Config { return Config{Properties: map[string]string{name: "x"}} }
	for name, tc := range map[string]struct {
		cfg  Config
		want string
	}{
		"no port":               {Config{Brokers: []string{"host"}}, "not host:port"},
		"bad port":              {Config{Brokers: []string{"host:99999"}}, "not host:port"},
		"a URL":                 {Config{Brokers: []string{"kafka://host:1"}}, "not host:port"},
		"sasl without block":    {Config{SecurityProtocol: "sasl_ssl"}, "needs a sasl block"},
		"block without sasl":    {Config{SASL: &SASL{}}, "security_protocol"},
		"tls without protocol":  {Config{TLS: &TLS{}}, "security_protocol"},
		"cert without key":      {Config{SecurityProtocol: "ssl", TLS: &TLS{Cert: "x"}}, "belong together"},
		"loads code":            {prop("plugin.library.paths"), "loads code"},
		"loads an engine":       {prop("ssl.engine.location"), "loads code"},
		"loads providers":       {prop("ssl.providers"), "loads code"},
		"runs a command":        {prop("sasl.kerberos.kinit.cmd"), "runs a command"},
		"has its own argument":  {prop("acks"), "use the sink's acks"},
		"the library's Go ones": {prop("go.logs.channel"), "not one of"},
		"unknown":               {prop("no.such.thing"), "not one of"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tc.cfg.Validate(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	if err := (Config{Brokers: []string{DevelopmentBroker, "[::1]:9092"}}).Validate(); err != nil {
		t.Error(err)
	}
}

// A call ends early only when each of the brokers refuses: one that is silent may still answer.
func TestBrokersThatAllRefuseAreNotWaitedFor(t *testing.T) {
	line := func(b, why string) string {
		return "[thrd:" + b + "/bootstrap]: " + b + "/bootstrap: " + why + " (after 0ms in state CONNECT)"
	}
	down := line("a:1", "Connect to ipv4#127.0.0.1:1 failed: Connection refused")
	silent := line("b:2", "Connection setup timed out in state CONNECT")
	noHost := line("b:2", "Failed to resolve 'b:2': Name or service not known")
	for name, c := range map[string]struct {
		lines []string
		want  time.Duration
		cause string
	}{
		"all refuse, or have no host": {[]string{down, noHost}, refusedTimeout, "b:2: Failed to resolve"},
		"both are silent":             {nil, callTimeout, "no answer in time"},
		"one refuses":                 {[]string{down}, callTimeout, "a:1: connection refused"},
		"one refuses, one is silent":  {[]string{down, silent}, callTimeout, "b:2: no answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &Admin{brokers: []string{"a:1", "b:2"}, cause: &Cause{}}
				logs := make(chan kafka.LogEvent, len(c.lines))
				for _, l := range c.lines {
					logs <- kafka.LogEvent{Tag: "FAIL", Level: 3, Message: l}
				}
				close(logs)
				a.cause.Follow(logs, nil)
				begin := time.Now()
				err := a.call(t.Context(), "ask", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
				var u *UnreachableError
				if took := time.Since(begin); took != c.want || !errors.As(err, &u) || !strings.Contains(u.Cause, c.cause) {
					t.Errorf("after %v, want %v: %v", took, c.want, err)
				}
				if err := a.call(t.Context(), "ask", func(context.Context) error { return nil }); err != nil || a.cause.allRefuse(a.brokers) {
					t.Errorf("after an answer: %v", err)
				}
			})
		})
	}
}

func TestTheTimeThatIsUpIsOneReasonWhoeverSaysSo(t *testing.T) {
	for _, err := range []error{context.DeadlineExceeded, kafka.NewError(kafka.ErrTimedOut, "Failed while waiting for controller: Local: Timed out", false)} {
		got := (&Cause{}).Wrap([]string{"a:1"}, "ask", err)
		if want := "kafka a:1 is not reachable: ask: no answer in time"; got.Error() != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestASilentBrokerIsToldInOneWay(t *testing.T) {
	for _, why := range []string{
		"ApiVersionRequest failed: Local: Timed out: probably due to broker version < 0.10 (see api.version.request configuration) (after 10001ms in state APIVERSION_QUERY)",
		"1 request(s) timed out: disconnect (average rtt 2.001ms) (after 10123ms in state UP)",
		"Connection setup timed out in state CONNECT (after 30044ms in state CONNECT)",
	} {
		if got := Explain("[thrd:b:2/bootstrap]: b:2/bootstrap: " + why); got != "b:2: no answer in time" {
			t.Errorf("%s: got %q", why, got)
		}
	}
}

func TestTheReasonIsNotReplacedByItsConsequence(t *testing.T) {
	logs := make(chan kafka.LogEvent, 2)
	logs <- kafka.LogEvent{Tag: "FAIL", Level: 3, Message: "[thrd:127.0.0.1:1/bootstrap]: 127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)"}
	logs <- kafka.LogEvent{Tag: "ERROR", Level: 3, Message: "[thrd:127.0.0.1:1/bootstrap]: 1/1 brokers are down"}
	close(logs)
	var c Cause
	c.Follow(logs, nil)
	if got, want := c.Last(), "127.0.0.1:1: connection refused"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
