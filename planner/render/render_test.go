package render

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"go.uber.org/goleak"

	"collect/hclspec/schema"
	"collect/planner"
	"collect/planner/resource"
	"collect/runtime/supervisor/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// screen compares what is written with a golden file, without and with colour: colour only adds, it never replaces.
func screen(t *testing.T, name string, f func(w *Writer)) {
	t.Helper()
	var plain, colored bytes.Buffer
	w := New(&plain, Options{Width: 100})
	f(w)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	c := New(&colored, Options{Color: true, Width: 100})
	f(c)
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := stripStyles(colored.String()); got != plain.String() {
		t.Errorf("colour changes the text:\n%s", cmp.Diff(plain.String(), got))
	}
	path := filepath.Join("testdata", name+".golden")
	if os.Getenv("UPDATE") != "" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, plain.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), plain.String()); d != "" {
		t.Errorf("%s (want -, got +); UPDATE=1 writes it:\n%s", path, d)
	}
}

func stripStyles(s string) string {
	for _, style := range []string{bold, dim, red, green, yellow, cyan} {
		s = strings.ReplaceAll(s, "\x1b["+style+"m", "")
		s = strings.ReplaceAll(s, "\x1b["+style+";"+bold+"m", "")
	}
	return strings.ReplaceAll(s, "\x1b[0m", "")
}

func installation() planner.Installation {
	return planner.Installation{Name: "smartcar", Root: "/home/u/smartcar", DataDir: "/var/lib/collect/smartcar"}
}

func labels(kv ...string) map[string]any {
	m := map[string]any{}
	for i := 0; i < len(kv); i += 2 {
		m[kv[i]] = kv[i+1]
	}
	return map[string]any{"labels": m}
}

func first() *planner.Plan {
	in := installation()
	in.Fresh = true
	return &planner.Plan{Installation: in, Steps: make([]planner.Step, 3), Changes: []*resource.Change{
		{Address: "kafka.development_broker", Kind: "kafka", Action: resource.Create, Note: "no brokers declared: an embedded broker on 127.0.0.1, for development only"},
		{Address: "topic.driver_info", Kind: "topic", Action: resource.Create, Note: "SmartCar-Topic, 4 partitions", Items: []resource.Item{
			{Path: "config.retention.ms", After: "600000"}, {Path: "replication_factor", After: 1.0},
		}},
		{
			Address: "agent.car_status", Kind: "agent", Action: resource.Create,
			Detail: labels("source.daily", "spooldir.daily", "sink.warehouse", "hdfs.warehouse"),
			Items: []resource.Item{
				{Note: "spooldir.daily ──▶ filter ▸ set ──▶ disk.daily (1 GiB) ──▶ hdfs.warehouse"},
				{Path: "source.daily.path", After: "/var/lib/collect/smartcar/work/car-batch-log"},
				{Path: "sink.warehouse.path", After: map[string]any{"expr": `"file:///w/wrk_date=${formatdate("YYYYMMDD", event.time)}"`}},
				{Path: "sink.warehouse.roll", Note: "size 64 MiB, idle 1 m 40 s"},
				{Path: "sink.warehouse.password", Sensitive: true},
				{Note: "at most 262,144 events or 16 MiB are sent again after a crash (in_flight of spooldir.daily)"},
			},
		},
	}}
}

func changed() *planner.Plan {
	return &planner.Plan{
		Installation: installation(), Serial: 3, Steps: make([]planner.Step, 3), NotRead: []string{"topic.other"}, OutsideReads: []string{"/etc/ca.pem"}, Warnings: []string{"agent.x: a warning"},
		Outputs: []planner.Output{
			{Name: "warehouse", Action: resource.Update, Before: "/a", Value: "/b"},
			{Name: "same", Action: resource.NoOp, Value: 1.0},
			{Name: "token", Action: resource.Create, Sensitive: true},
			{Name: "old", Action: resource.Delete, Before: []any{"x", 1.0, true}},
		},
		Changes: []*resource.Change{
			{Address: "topic.driver_info", Kind: "topic", Action: resource.Update, Items: []resource.Item{
				{Path: "partitions", Action: resource.Update, Before: 4.0, After: 8.0, Note: "keys move to other partitions from here on", Place: "main.hcl:18"},
			}},
			{
				Address: "agent.driver_info", Kind: "agent", Action: resource.Update, Note: "running 3 h 12 m, 1,004 events/s; stays up, same process",
				Detail: labels("sink.stream", "kafka.stream", "source.realtime", "tail.realtime", "channel.alerts", "disk.alerts", "channel.old", "disk.old"),
				Items: []resource.Item{
					{Path: "sink.stream.compression", Action: resource.Update, Before: "lz4", After: "zstd", Effect: schema.Swap, Note: "swap: 212 events (41 KiB) in flight are flushed first, about 0.1 s", Place: "main.hcl:61"},
					{Path: "sink.stream.linger", Action: resource.Create, After: "20ms", Effect: schema.Reload, Place: "main.hcl:62"},
					{Path: "sink.stream.provider.sasl.password", Action: resource.Update, Sensitive: true, Effect: schema.Swap},
					{Path: "source.realtime.route[0]", Action: resource.Create, Note: "when event.headers.speed > 120  ──▶ channel.alerts"},
					{Path: "source.realtime.interceptor[1].keep", Action: resource.Update, Before: map[string]any{"expr": "true"}, After: map[string]any{"expr": "event.body != \"\""}},
					{Path: "channel.alerts", Action: resource.Create, Note: "(1 GiB) ──▶ agent.first | agent.second (failover)"},
					{Path: "channel.old", Action: resource.Delete, Note: "12,345 events (2.1 MiB) waiting; drains through hdfs.warehouse first, about 4 s; then its directory is removed"},
					{Path: "memory_limit", Action: resource.Update, Before: "128MiB", After: "256MiB", Effect: schema.Restart, Note: "restart: the process starts again, data and positions are kept"},
				},
			},
			{Address: "agent.car_status", Kind: "agent", Action: resource.Delete, Note: "running 2 d 3 h, nothing waiting; stops", Items: []resource.Item{
				{Note: "positions are kept: a later apply goes on where it stopped"},
			}},
		},
	}
}

func others() *planner.Plan {
	return &planner.Plan{Installation: installation(), Steps: make([]planner.Step, 4), Changes: []*resource.Change{
		{Address: "agent.a", Action: resource.Start, Reason: "it has ended: signal: killed"},
		{Address: `agent.b["5"]`, Action: resource.Replace, Note: "running 1 h; drained and started again, data and positions kept", Pulled: "agent.a"},
		{Address: "topic.t", Action: resource.Adopt},
		{Address: "topic.u", Action: resource.Forget},
	}}
}

func lossy() *planner.Plan {
	return &planner.Plan{Installation: installation(), Destroy: true, Steps: make([]planner.Step, 1), Protected: []planner.Protected{{Address: "agent.keep", Why: "prevent_destroy"}}, Changes: []*resource.Change{{
		Address: "agent.x", Kind: "agent", Action: resource.Delete, Note: "running 5 s, 1,204 events (209 KiB) waiting; drains first",
		Loss: []resource.Loss{
			{Address: "agent.x.channel.c", Events: 1204, What: "events waiting", More: 60_180},
			{Address: `agent.x["5"].channel.d`, Events: api.UnknownEvents, What: "events waiting"},
			{Address: "topic.t", Events: 1, What: "records"},
			{Address: "topic.u", Events: 70_000, What: "records", Writers: []string{"agent.x", `agent.y["5"]`}},
		},
	}}}
}

func TestPlans(t *testing.T) {
	notes := []planner.Note{{Address: "agent.driver_info.channel.old", Text: "orphan, 12,345 events (2.1 MiB) that no channel delivers\x1b[2J"}}
	withNotes := changed()
	withNotes.Notes = notes
	for name, p := range map[string]*planner.Plan{
		"plan_note":       {Installation: installation(), Serial: 3, Notes: notes},
		"plan_with_notes": withNotes,
		"plan_first":      first(), "plan_changed": changed(), "plan_others": others(), "plan_lossy": lossy(),
		"plan_nothing":         {Installation: installation()},
		"plan_nothing_destroy": {Installation: installation(), Destroy: true},
		"plan_only_remembers":  {Installation: installation(), Changes: others().Changes[2:]},
		"plan_only_outputs":    {Installation: installation(), Serial: 3, Outputs: []planner.Output{{Name: "n", Action: resource.Create, Value: map[string]any{"b": 2.5, "a": nil}}}},
	} {
		screen(t, name, func(w *Writer) { w.Plan(p) })
	}
}

func TestAnApply(t *testing.T) {
	screen(t, "apply", func(w *Writer) {
		for _, e := range []planner.Event{
			{Kind: planner.Started, Address: "topic.driver_info"},
			{Kind: planner.Progress, Address: "topic.driver_info", Line: "altering partitions 4 -> 8"},
			{Kind: planner.Done, Address: "topic.driver_info", Elapsed: 200 * time.Millisecond},
			{Kind: planner.Started, Address: "agent.driver_info"},
			{Kind: planner.Progress, Address: "agent.driver_info", Line: "reloading: swap kafka.stream, add disk.alerts"},
			{Kind: planner.Progress, Address: "agent.driver_info", Line: "ready (0.4 s)"},
			{Kind: planner.Warned, Address: "agent.driver_info", Line: "kafka.stream is retrying: connection refused"},
			{Kind: planner.Done, Address: "agent.driver_info", Elapsed: 400 * time.Millisecond},
			{Kind: planner.Progress, Address: "agent.car_status", Line: "draining"},
			{Kind: planner.Progress, Address: `agent.aggregator["a long key"]`, Line: "starting"},
			{Kind: planner.Progress, Address: "agent.car_status", Line: "draining channel.old: 8,102 of 12,345 left"},
			{Kind: planner.Failed, Address: `agent.aggregator["a long key"]`, Err: errors.New("not ready after 1 m: source in: address in use")},
			{Kind: planner.Progress, Address: "agent.car_status", Line: "removed (2.1 s)"},
			{Kind: planner.Done, Address: "agent.car_status", Elapsed: 2 * time.Second},
			{Kind: planner.Done, Address: "topic.quiet", Elapsed: 20 * time.Millisecond},
		} {
			w.Progress(e)
		}
		w.ApplyTable(&planner.Applied{Results: []planner.Result{{Action: resource.Create, Outcome: planner.Done}, {Action: resource.Update, Outcome: planner.Done}}, Revision: 7, Commit: "3f2a91c0deadbeef", Elapsed: 4600 * time.Millisecond})
		w.Outputs([]planner.Output{{Name: "warehouse", Value: "/var/lib/collect/smartcar/work/warehouse"}, {Name: "brokers", Value: []any{"a:9092", "b:9092"}}, {Name: "token", Sensitive: true}})
	})
}

func TestAnApplyThatFails(t *testing.T) {
	screen(t, "apply_failed", func(w *Writer) {
		w.ApplyTable(&planner.Applied{Elapsed: 61 * time.Second, Revision: 8, Results: []planner.Result{
			{Address: "agent.c", Action: resource.Create, Outcome: planner.Skipped, Because: "agent.b"},
			{Address: "topic.a", Action: resource.Create, Outcome: planner.Done, Elapsed: 210 * time.Millisecond},
			{Address: "agent.b", Action: resource.Update, Outcome: planner.Failed, Err: "not ready after 1 m: source in: address in use"},
			{Address: "agent.d", Action: resource.Create, Outcome: planner.Skipped, Because: "the apply was interrupted"},
		}})
	})
}

func status() api.Installation {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	return api.Installation{
		Name: "smartcar", Revision: 7, Commit: "3f2a91c0", At: now, Supervisor: &api.Supervisor{PID: 1}, Broker: &api.Broker{Address: "127.0.0.1:41823", State: api.Running},
		Agents: []api.Agent{
			{Address: "agent.car_status", State: api.Running, Ready: true, PID: 4211, RSS: 38 << 20, Since: now.Add(-51 * time.Hour), Components: []api.Component{
				{Kind: schema.Source, Type: "spooldir", Name: "daily", Health: "ok", EventsOut: 2160100, Facts: []api.Fact{{Label: "last file", Value: "02:00:07"}, {Label: "done", Value: "1", Unit: "file"}}},
				{Kind: schema.Interceptor, Type: "filter", Name: "daily.filter[0]", Health: "ok"},
				{Kind: schema.Channel, Type: "disk", Name: "daily", Health: "ok", Capacity: 1 << 30},
				{Kind: schema.Sink, Type: "hdfs", Name: "warehouse", Health: "ok", EventsOut: 2160100},
			}},
			{
				Address: "agent.driver_info", State: api.Blocked, Ready: true, PID: 4225, RSS: 44 << 20, Since: now.Add(-3*time.Hour - 12*time.Minute), Restarts: 1, LastExit: "signal: killed",
				Orphans: []api.Orphan{{Channel: "old", Events: 12, Why: "it left the configuration and was not empty in time"}},
				Components: []api.Component{
					{Kind: schema.Source, Type: "tail", Name: "realtime", Health: "ok", EventsOut: 11563204, EventsPerSec: 1004},
					{Kind: schema.Interceptor, Type: "csv", Name: "realtime.csv[1]", Health: "ok", EventsIn: 10, EventsOut: 8, Dropped: 2},
					{Kind: schema.Channel, Type: "memory", Name: "stream", Health: "ok", BacklogEvents: 212, BacklogBytes: 41 << 10, Capacity: 32 << 20, Oldest: 0.012},
					{
						Kind: schema.Sink, Type: "kafka", Name: "stream", Health: "retrying", HealthSince: now.Add(-41 * time.Second), Why: "waits for a broker", EventsOut: 11562992, EventsPerSec: 0.4, Retries: 3,
						LastError: "127.0.0.1:9092: connection refused", LastErrorAt: now.Add(-2 * time.Second), Errors: 3,
					},
					{Kind: schema.SinkGroup, Type: "failover", Name: "aggregators", Health: "ok", EventsOut: 5},
				},
			},
			{Address: "agent.gone", State: api.Crashed, NotReady: "starts again at 12:00:04 UTC", Restarts: 5, LastExit: "exit status 1"},
			{Address: "agent.off", State: api.Stopped, Ready: true},
		},
		Topics:      []api.Topic{{Address: "topic.driver_info", Name: "SmartCar-Topic", Partitions: 4, Records: 11562992}, {Address: "topic.x", Name: "X", Error: "127.0.0.1:9092: connection refused"}},
		Unreachable: []string{"agents/abc: meta.json is damaged"},
	}
}

func TestStatus(t *testing.T) {
	screen(t, "status", func(w *Writer) { w.Status(status()) })
	screen(t, "status_alone", func(w *Writer) {
		s := status()
		s.Supervisor, s.Broker, s.Topics, s.Unreachable, s.Agents = nil, nil, nil, nil, s.Agents[:1]
		w.Status(s)
		s.Agents[0].RunPID = 4200
		s.Agents = append(s.Agents[:1:1], api.Agent{Address: "agent.off", State: api.Stopped})
		w.Status(s)
		w.Status(api.Installation{Name: "empty"})
	})
}

const source = `agent "driver_info" {
  source "tail" "log" {
    channels = [channel.straem]
    include	= [
      "a",
    ]
  }
}
topic "t" { partitions = 0 } # a comment that is so long that the line does not fit into any terminal that people use, 한국어 too
`

func TestDiagnostics(t *testing.T) {
	p := hclparse.NewParser()
	f, diags := p.ParseHCL([]byte(source), "main.hcl")
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	at := func(part string) *hcl.Range {
		i := strings.Index(source, part)
		line := 1 + strings.Count(source[:i], "\n")
		return &hcl.Range{Filename: "main.hcl", Start: hcl.Pos{Line: line, Byte: i}, End: hcl.Pos{Line: line, Byte: i + len(part)}}
	}
	_, broken := p.ParseHCL([]byte("agent \"x\" {\n  a = \n}\n"), "broken.hcl")
	screen(t, "diagnostics", func(w *Writer) {
		w.Diagnostics(append(hcl.Diagnostics{
			{Severity: hcl.DiagError, Summary: "Unknown channel", Detail: `Agent "driver_info" declares no channel "straem". Did you mean channel.stream?`, Subject: at("channel.straem")},
			{Severity: hcl.DiagWarning, Summary: "Several lines", Detail: "A detail that is long enough to be broken into two lines, since it says more than fits into one hundred columns of a terminal.\n  - a list\n  - stays", Subject: at("[\n      \"a\",\n    ]")},
			{Severity: hcl.DiagError, Summary: "Too few partitions", Subject: at("0 }")},
			{Severity: hcl.DiagError, Summary: "Kafka is not reachable", Detail: "provider \"kafka\": 127.0.0.1:9092: connection refused (tried for 10 s)."},
			{Severity: hcl.DiagError, Summary: "Elsewhere", Subject: &hcl.Range{Filename: "gone.hcl", Start: hcl.Pos{Line: 3}}},
		}, broken...), map[string]*hcl.File{"main.hcl": f, "broken.hcl": p.Files()["broken.hcl"]})
	})
}

func TestAFileThatWasNotReadHasNoLine(t *testing.T) {
	var b strings.Builder
	New(&b, Options{}).Diagnostics(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "File cannot be read", Detail: "x.hclvars: no such file.", Subject: &hcl.Range{Filename: "x.hclvars", Start: hcl.InitialPos, End: hcl.InitialPos}}},
		map[string]*hcl.File{"x.hclvars": {}})
	if want := "Error: File cannot be read\n\n  on x.hclvars\n\nx.hclvars: no such file.\n"; b.String() != want {
		t.Errorf("got:\n%s", b.String())
	}
}

func TestAForgottenObjectSaysWhy(t *testing.T) {
	var b strings.Builder
	New(&b, Options{}).Plan(&planner.Plan{Changes: []*resource.Change{{Address: "agent.a", Action: resource.Forget, Reason: "its creation was interrupted"}}})
	if got := b.String(); !strings.Contains(got, "is only forgotten; its creation was interrupted") || strings.Contains(got, "not declared") {
		t.Errorf("got:\n%s", got)
	}
}

func TestFactsAreNumbersThatCanBeRead(t *testing.T) {
	got := figures(api.Component{Kind: schema.Source, Facts: []api.Fact{{Label: "complete", Value: "2160100", Unit: "lines"}, {Label: "last file", Value: "a.log"}}})
	if !strings.HasSuffix(got, "complete 2,160,100 lines, last file a.log") {
		t.Errorf("got %q", got)
	}
}

func TestProseIsWrappedForTerminalsOnly(t *testing.T) {
	detail := strings.TrimSpace(strings.Repeat("Start the broker or plan without it. ", 6))
	for width, want := range map[int]int{0: len(detail), 60: 60} {
		var b bytes.Buffer
		New(&b, Options{Width: width}).Diagnostics(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "No broker", Detail: detail}}, nil)
		longest := 0
		for l := range strings.SplitSeq(b.String(), "\n") {
			longest = max(longest, len(l))
		}
		if longest > want || width == 0 && longest != want {
			t.Errorf("width %d: the longest line has %d columns, want %d\n%s", width, longest, want, b.String())
		}
	}
}
