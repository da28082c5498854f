package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"collect/hclspec/schema"
	"collect/planner"
	"collect/planner/resource"
	"collect/runtime/supervisor/api"
)

// The component types of the tests.

type fakeTypes map[schema.Kind]map[string]*schema.Type

func (f fakeTypes) Lookup(k schema.Kind, name string) (*schema.Type, bool) {
	t, ok := f[k][name]
	return t, ok
}

func (f fakeTypes) Names(k schema.Kind) []string { return slices.Sorted(maps.Keys(f[k])) }

func fake[C any](f fakeTypes, k schema.Kind, name string, defaults C, about schema.About) {
	if f[k] == nil {
		f[k] = map[string]*schema.Type{}
	}
	f[k][name] = &schema.Type{Kind: k, Name: name, About: about, Block: schema.Of(defaults), Check: func(schema.Config) error { return nil }}
}

type genConfig struct {
	Size     int           `collect:"size" doc:"Bytes of an event."`
	Password schema.Secret `collect:"password,secret" doc:"A secret."`
	Path     string        `collect:"path,path" doc:"A directory."`
}

type memConfig struct {
	MaxSize schema.Bytes `collect:"max_size" doc:"Room."`
}

type kafkaProvider struct {
	Brokers []string `collect:"brokers" doc:"Servers."`
}

type sinkConfig struct {
	Path schema.Expr `collect:"path,event" doc:"Where to."`
}

type kafkaConfig struct {
	Topic    schema.Ref    `collect:"topic,ref=topic" doc:"Which topic."`
	Provider kafkaProvider `collect:"provider,provider=kafka" doc:"Cluster."`
}

type topicConfig struct {
	Name       string        `collect:"name" doc:"Name."`
	Partitions int           `collect:"partitions" doc:"Partitions."`
	Provider   kafkaProvider `collect:"provider,provider=kafka" doc:"Cluster."`
}

func testTypes() fakeTypes {
	f := fakeTypes{}
	fake(f, schema.Source, "gen", genConfig{}, schema.About{Doc: "Makes events.", Replay: schema.Replays})
	fake(f, schema.Channel, "mem", memConfig{MaxSize: 32 << 20}, schema.About{Doc: "Memory.", CapacityAttr: "max_size"})
	fake(f, schema.Sink, "out", sinkConfig{}, schema.About{Doc: "Writes events."})
	fake(f, schema.Sink, "kafka", kafkaConfig{}, schema.About{Doc: "Writes a topic."})
	fake(f, schema.Provider, "kafka", kafkaProvider{}, schema.About{Doc: "Kafka."})
	fake(f, schema.Topic, "topic", topicConfig{Partitions: 1}, schema.About{Doc: "A topic."})
	return f
}

const oneAgent = `
variable "size" {
  type    = number
  default = 1
}
variable "names" {
  type    = list(string)
  default = []
}
agent "a" {
  source "gen" "in" {
    size     = var.size
    channels = [channel.all]
  }
  channel "mem" "all" {}
  sink "out" "k" {
    channel = channel.all
    path    = "/srv/out/${event.headers.day}.log"
  }
}
output "size" {
  value = var.size
}
output "text" {
  value = "\u001b[31mred"
}
`

// world is what exists: agents and topics, as the fake kinds read and make them.
type world struct {
	mu     sync.Mutex // guards all that follows
	things map[string]map[string]any
	fail   error
	during func(address string)
	loss   int64
	reads  int
	// reading takes the place of reading what there is.
	reading func(context.Context)
}

type fakeKind struct {
	name string
	w    *world
}

func (k *fakeKind) Name() string { return k.name }

func (k *fakeKind) Read(ctx context.Context, _ []*resource.Object, _ []*resource.Known) ([]*resource.Live, error) {
	if k.w.reading != nil {
		k.w.reading(ctx)
		return nil, ctx.Err()
	}
	k.w.mu.Lock()
	defer k.w.mu.Unlock()
	k.w.reads++
	var out []*resource.Live
	for _, a := range slices.Sorted(maps.Keys(k.w.things)) {
		if strings.HasPrefix(a, k.name+".") {
			out = append(out, &resource.Live{Address: a, Have: k.w.things[a], Basis: text(k.w.things[a])})
		}
	}
	return out, nil
}

func text(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func (k *fakeKind) Diff(_ context.Context, want *resource.Object, live *resource.Live, _ *resource.Known, opt resource.DiffOptions) (*resource.Change, error) {
	switch {
	case want == nil:
		c := &resource.Change{Action: resource.Delete, Before: live.Have}
		if k.w.loss > 0 {
			c.Loss = []resource.Loss{{Address: live.Address + ".channel.c", Events: k.w.loss, What: "events"}}
		}
		return c, nil
	case live == nil:
		return &resource.Change{Action: resource.Create, After: want.Want}, nil
	case text(live.Have) != text(want.Want):
		return &resource.Change{Action: resource.Update, Before: live.Have, After: want.Want}, nil
	case opt.Replace:
		return &resource.Change{Action: resource.Replace}, nil
	}
	return nil, nil
}

func (k *fakeKind) Apply(_ context.Context, c *resource.Change, want *resource.Object, opt resource.ApplyOptions) (*resource.Known, error) {
	if k.w.during != nil {
		k.w.during(c.Address)
	}
	k.w.mu.Lock()
	defer k.w.mu.Unlock()
	if k.w.fail != nil {
		return nil, k.w.fail
	}
	opt.Report("working on it")
	if c.Action == resource.Delete {
		delete(k.w.things, c.Address)
		return nil, nil
	}
	k.w.things[c.Address] = want.Want
	return &resource.Known{Origin: resource.Created}, nil
}

// plainScreen writes the least that tests look for, without any escape.
type plainScreen struct{ w io.Writer }

func (s plainScreen) Write(b []byte) (int, error) {
	_, err := s.w.Write(bytes.ReplaceAll(b, []byte{0x1b}, []byte(`\x1b`)))
	return len(b), err
}

func (s plainScreen) Plan(p *planner.Plan) {
	for _, pr := range p.Protected {
		fmt.Fprintf(s, "protected %s\n", pr.Address)
	}
	for _, c := range p.Changes {
		fmt.Fprintf(s, "%s %s\n", c.Action, c.Address)
	}
	for _, w := range p.Warnings {
		fmt.Fprintf(s, "warning: %s\n", w)
	}
	if !p.Differs() {
		fmt.Fprintln(s, "No changes.")
		return
	}
	n := p.Count()
	fmt.Fprintf(s, "Plan: %d to add, %d to change, %d to destroy.\n", n.Add, n.Change, n.Destroy)
}

func (s plainScreen) Diagnostics(diags hcl.Diagnostics, _ map[string]*hcl.File) {
	for _, d := range diags {
		fmt.Fprintf(s, "Error: %s: %s\n", d.Summary, d.Detail)
	}
}

func (s plainScreen) Progress(e planner.Event) {
	fmt.Fprintf(s, "%s %s %s\n", e.Address, e.Kind, e.Line)
}

func (s plainScreen) ApplyTable(a *planner.Applied) {
	n := a.Count()
	fmt.Fprintf(s, "Applied: %d added, %d changed, %d destroyed. Revision %d.\n", n.Add, n.Change, n.Destroy, a.Revision)
	for _, r := range a.Results {
		if r.Outcome != planner.Done {
			fmt.Fprintf(s, "%s %s %s%s\n", r.Outcome, r.Address, r.Err, r.Because)
		}
	}
}

func (s plainScreen) Outputs(outs []planner.Output) {
	for _, o := range outs {
		fmt.Fprintf(s, "%s = %v\n", o.Name, o.Value)
	}
}

func (s plainScreen) Status(i api.Installation) {
	fmt.Fprintf(s, "%s revision %d\n", i.Name, i.Revision)
}

// rig is a machine for one test: a configuration, a data directory, a world.
type rig struct {
	t       *testing.T
	dir     string // of the configuration
	data    string
	w       *world
	deps    Deps
	tty     bool
	in      string
	env     []string
	signals chan os.Signal
}

func newRig(t *testing.T, config string) *rig {
	t.Helper()
	base, err := os.MkdirTemp("", "cli") // short: a socket's path has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	r := &rig{t: t, dir: filepath.Join(base, "conf"), data: filepath.Join(base, "data"), w: &world{things: map[string]map[string]any{}}, signals: make(chan os.Signal, 2)}
	r.config(config)
	r.env = []string{"COLLECT_DATA_DIR=" + r.data, "XDG_RUNTIME_DIR=" + filepath.Join(base, "run"), "HOME=" + base}
	r.deps = Deps{
		Version: "1.2.3", Types: testTypes(), Executable: "/usr/bin/collect", Signals: r.signals,
		Libraries: map[string]string{"librdkafka": "2.0"},
		Screen:    func(w io.Writer, _ bool, _ int) Screen { return plainScreen{w} },
		Kinds: func(KindEnv) []resource.Kind {
			return []resource.Kind{&fakeKind{"kafka", r.w}, &fakeKind{"topic", r.w}, &fakeKind{"agent", r.w}}
		},
		Terminal: func(any) bool { return r.tty },
		Survey:   func(context.Context, api.Layout) (api.Installation, error) { return api.Installation{}, nil },
		RunAgent: func(context.Context, AgentProcess) error { return errors.New("not expected") },
		RunBroker: func(context.Context, api.Layout, *slog.Logger, func(string)) error {
			return errors.New("not expected")
		},
		Now: func() time.Time { return time.Unix(1_800_000_000, 0).UTC() },
	}
	return r
}

func (r *rig) config(text string) {
	r.t.Helper()
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "main.hcl"), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// result is what a command gave.
type result struct {
	code     int
	out, err string
}

func (r *rig) run(args ...string) result {
	r.t.Helper()
	var out, err lockedBuffer
	code := Main(r.t.Context(), r.deps, append([]string{"collect", "-chdir=" + r.dir}, args...), r.env, strings.NewReader(r.in), &out, &err)
	return result{code, out.String(), err.String()}
}

// want runs a command and holds its exit code and output against what is expected.
func (r *rig) want(code int, contains string, args ...string) result {
	r.t.Helper()
	got := r.run(args...)
	if got.code != code || !strings.Contains(got.out+got.err, contains) {
		r.t.Fatalf("collect %s: exit %d, want %d and %q\n%s%s", strings.Join(args, " "), got.code, code, contains, got.out, got.err)
	}
	return got
}

type lockedBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
