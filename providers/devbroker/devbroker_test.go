package devbroker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The test binary is the broker too, so that it can be killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("DEVBROKER_DIR"); dir != "" {
		err := Run(context.Background(), Options{Dir: dir, Listen: os.Getenv("DEVBROKER_LISTEN"), Ready: func(a string) { fmt.Println(a) }})
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

type process struct {
	cmd  *exec.Cmd
	addr string
}

func spawn(t *testing.T, dir, listen string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "DEVBROKER_DIR="+dir, "DEVBROKER_LISTEN="+listen)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the broker did not start: %v", err)
	}
	p := &process{cmd, strings.TrimSpace(line)}
	t.Cleanup(func() { p.kill() })
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func client(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr))...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func produce(t *testing.T, c *kgo.Client, topic string, from, to int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var recs []*kgo.Record
	for i := from; i < to; i++ {
		recs = append(recs, &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "%d", i)})
	}
	if err := c.ProduceSync(ctx, recs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func TestRecordsTopicsAndIDsSurviveAKill(t *testing.T) {
	dir := t.TempDir()
	p := spawn(t, dir, "127.0.0.1:0")
	c := client(t, p.addr)
	adm := kadm.NewClient(c)
	if _, err := adm.CreateTopic(t.Context(), 3, -1, map[string]*string{"retention.ms": kadm.StringPtr("3600000")}, "kept"); err != nil {
		t.Fatal(err)
	}
	before, err := adm.ListTopics(t.Context(), "kept")
	if err != nil {
		t.Fatal(err)
	}
	produce(t, c, "kept", 0, 500)
	p.kill()
	c.Close()

	p = spawn(t, dir, p.addr) // on the same port
	c = client(t, p.addr, kgo.ConsumeTopics("kept"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer c.Close()
	produce(t, c, "kept", 500, 600)
	seen := map[string]int{}
	for len(seen) < 600 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		f := c.PollFetches(ctx)
		cancel()
		if err := f.Err(); err != nil {
			t.Fatalf("%d records: %v", len(seen), err)
		}
		f.EachRecord(func(r *kgo.Record) { seen[string(r.Value)]++ })
	}
	for v, n := range seen {
		if n != 1 {
			t.Errorf("record %s is there %d times", v, n)
		}
	}
	adm = kadm.NewClient(c)
	after, err := adm.ListTopics(t.Context(), "kept")
	if err != nil {
		t.Fatal(err)
	}
	if after["kept"].ID != before["kept"].ID || len(after["kept"].Partitions) != 3 {
		t.Errorf("topic was %v, is %v", before["kept"], after["kept"])
	}
	conf, err := adm.DescribeTopicConfigs(t.Context(), "kept")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range conf[0].Configs {
		if e.Key == "retention.ms" && e.MaybeValue() != "3600000" {
			t.Errorf("retention.ms is %s", e.MaybeValue())
		}
	}
}

func TestTopicsAreNotMadeByProducing(t *testing.T) {
	addr, stop := run(t, t.TempDir())
	defer stop()
	c := client(t, addr, kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(0))
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.ProduceSync(ctx, &kgo.Record{Topic: "never", Value: []byte("x")}).FirstErr(); err == nil {
		t.Error("a topic that nobody declared took a record")
	}
}

func run(t *testing.T, dir string) (addr string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- Run(ctx, Options{Dir: dir, Listen: "127.0.0.1:0", Ready: func(a string) { ready <- a }})
	}()
	select {
	case addr = <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	return addr, func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

func TestItServesThisMachineOnly(t *testing.T) {
	for _, l := range []string{"0.0.0.0:0", "10.0.0.1:9092", "example.com:1", "127.0.0.1", "127.0.0.1:x"} {
		if err := Run(t.Context(), Options{Dir: t.TempDir(), Listen: l}); err == nil {
			t.Errorf("%s was taken", l)
		}
	}
}

func TestATakenPortIsNamed(t *testing.T) {
	addr, stop := run(t, t.TempDir())
	defer stop()
	err := Run(t.Context(), Options{Dir: t.TempDir(), Listen: addr})
	if err == nil || !strings.Contains(err.Error(), addr) {
		t.Errorf("got %v", err)
	}
}
