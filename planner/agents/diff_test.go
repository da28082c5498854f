package agents

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"collect/hclspec/schema"
	"collect/planner/agents/internal/anatomy"
	"collect/planner/resource"
	"collect/runtime/supervisor/api"
)

func ref(address string) any { return map[string]any{"ref": address} }

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func expr(src string) any    { return map[string]any{"expr": src} }
func at(line int) schema.Pos { return schema.Pos{File: "main.hcl", Line: line, Col: 3} }

func kafkaSink() schema.SinkSpec {
	return schema.SinkSpec{Type: "kafka", Name: "stream", Channel: "stream", Config: schema.Config{
		"topic": ref("topic.driver_info"), "provider": map[string]any{"brokers": []any{"@development_broker"}},
	}, At: at(60)}
}

// driver is the agent that the cases change.
func driver() *schema.AgentSpec {
	return &schema.AgentSpec{
		Version: 1, Address: "agent.driver_info", At: at(20),
		Sources: []schema.SourceSpec{{
			Type: "tail", Name: "realtime", Config: schema.Config{"include": []any{"/work/log"}}, At: at(21),
			Interceptors: []schema.InterceptorSpec{
				{Type: "filter", Config: schema.Config{"keep": expr(`can(regex("^\\d{14}", event.body))`)}, At: at(22)},
				{Type: "csv", Config: schema.Config{"columns": []any{"time", "car"}}, At: at(23)},
			},
			Routes: []schema.RouteSpec{{Channels: []string{"stream"}}},
		}},
		Channels: []schema.ChannelSpec{{Type: "memory", Name: "stream", At: at(50)}},
		Sinks:    []schema.SinkSpec{kafkaSink()},
	}
}

// alerts adds a second way through a disk channel to a group.
func alerts(s *schema.AgentSpec) {
	s.Sources[0].Routes = []schema.RouteSpec{
		{When: expr("event.headers.speed > 120"), Channels: []string{"alerts"}, Copy: true},
		{Channels: []string{"stream"}},
	}
	s.Channels = append([]schema.ChannelSpec{{Type: "disk", Name: "alerts"}}, s.Channels...)
	s.Sinks = append([]schema.SinkSpec{
		{Type: "agent", Name: "first", Config: schema.Config{"to": ref(`agent.aggregator["5"].source.in`)}},
		{Type: "agent", Name: "second", Config: schema.Config{"to": ref(`agent.aggregator["6"].source.in`)}},
	}, s.Sinks...)
	s.Groups = []schema.GroupSpec{{Name: "aggregators", Channel: "alerts", Sinks: []string{"first", "second"}, Settings: schema.Config{"strategy": "failover"}}}
}

func running(components ...api.Component) api.Agent {
	return api.Agent{ID: "x", State: api.Running, Ready: true, Since: time.Now().Add(-3*time.Hour - 12*time.Minute), Components: append([]api.Component{
		{Kind: schema.Source, Type: "tail", Name: "realtime", Health: "ok", EventsPerSec: 1004},
	}, components...)}
}

func sinkState(health, lastError string) api.Component {
	return api.Component{Kind: schema.Sink, Type: "kafka", Name: "stream", Health: health, LastError: lastError, EventsPerSec: 2120, InFlight: 212, InFlightBytes: 41 << 10}
}

func connecting(since time.Time) api.Component {
	c := sinkState("waiting", "")
	c.Why, c.HealthSince = "connecting", since
	return c
}

func backlog(name string, n int64) api.Component {
	return api.Component{Kind: schema.Channel, Name: name, BacklogEvents: n, BacklogBytes: n * 178}
}

type diffCase struct {
	have func(*schema.AgentSpec) // nil: not there
	want func(*schema.AgentSpec)
	live api.Agent
	opt  resource.DiffOptions
	obj  func(*resource.Object)
}

func same(*schema.AgentSpec) {}

// second and third add another sink to a channel.
func second(s *schema.AgentSpec) {
	s.Sinks = append(s.Sinks, schema.SinkSpec{Type: "null", Name: "second", Channel: s.Channels[0].Name})
}

func third(s *schema.AgentSpec) {
	s.Sinks = append(s.Sinks, schema.SinkSpec{Type: "null", Name: "third", Channel: s.Channels[0].Name})
}

func diffCases() map[string]diffCase {
	exec := func(s *schema.AgentSpec) {
		s.Sources[0].Type, s.Sources[0].Config = "exec", schema.Config{"command": []any{"x"}}
	}
	disk := func(s *schema.AgentSpec) { s.Channels[0].Type = "disk" }
	return map[string]diffCase{
		"a new agent": {want: same},
		"a sink beside others goes": {have: second, want: same, live: running(api.Component{
			Kind: schema.Sink, Type: "null", Name: "second", Health: "ok", BacklogEvents: 12345,
		})},
		"a sink beside others goes while it sticks": {have: second, want: same, live: running(api.Component{
			Kind: schema.Sink, Type: "null", Name: "second", Health: "waiting", BacklogEvents: 12345,
		})},
		"a sink beside others is replaced": {have: second, want: third, live: running(api.Component{
			Kind: schema.Sink, Type: "null", Name: "second", Health: "waiting", BacklogEvents: 12345,
		})},
		"a new agent with routes": {want: alerts},
		"a new agent with files":  {want: func(s *schema.AgentSpec) { s.Sinks[0] = hdfsSink() }},
		"a new agent with files behind a disk": {want: func(s *schema.AgentSpec) {
			disk(s)
			s.Sinks[0] = hdfsSink()
		}},
		"a new agent with files behind a disk, and more": {want: func(s *schema.AgentSpec) {
			disk(s)
			s.Sinks = append(s.Sinks, hdfsSink())
		}},
		"a source under another name": {have: same, want: func(s *schema.AgentSpec) { s.Sources[0].Name = "live" }, live: running()},
		"a source of other files": {have: same, want: func(s *schema.AgentSpec) {
			s.Sources[0].Name, s.Sources[0].Config = "live", schema.Config{"include": []any{"/work/other"}}
		}, live: running()},
		"nothing differs":            {have: same, want: func(s *schema.AgentSpec) { s.At = at(99) }, live: running()},
		"stopped":                    {have: same, want: same, live: api.Agent{State: api.Stopped}},
		"crashed":                    {have: same, want: same, live: api.Agent{State: api.Crashed, LastExit: "signal: killed"}},
		"compression swaps the sink": {have: same, want: func(s *schema.AgentSpec) { s.Sinks[0].Config["compression"] = "zstd" }, live: running(sinkState("ok", ""))},
		"two arguments, one note": {have: same, want: func(s *schema.AgentSpec) {
			s.Sinks[0].Config["compression"], s.Sinks[0].Config["key"] = "zstd", expr("event.body")
		}, live: running(sinkState("ok", ""))},
		"reload touches nothing": {have: same, want: func(s *schema.AgentSpec) {
			s.Sinks[0].Config["linger"] = "20ms"
			s.Sinks[0].Settings = schema.Config{"retry": map[string]any{"max": "10s"}}
		}, live: running()},
		"memory limit restarts":           {have: same, want: func(s *schema.AgentSpec) { s.Settings = schema.Config{"memory_limit": "256MiB"} }, live: running()},
		"another branch":                  {have: same, want: alerts, live: running()},
		"the branch goes":                 {have: alerts, want: same, live: running(backlog("alerts", 12345), api.Component{Kind: schema.SinkGroup, Name: "aggregators", Health: "ok", EventsPerSec: 3000})},
		"the branch goes while it sticks": {have: alerts, want: same, live: running(backlog("alerts", 12345), api.Component{Kind: schema.SinkGroup, Name: "aggregators", Health: "retrying"})},
		"an interceptor in between":       {have: same, want: addInterceptor, live: running()},
		"an interceptor less":             {have: addInterceptor, want: same, live: running()},
		"an interceptor changes":          {have: same, want: func(s *schema.AgentSpec) { s.Sources[0].Interceptors[1].Config["columns"] = []any{"time"} }, live: running()},
		"a secret":                        {have: secret("1"), want: secret("2"), live: running()},
		"a new secret":                    {have: same, want: secret("2"), live: running()},
		"another channel type":            {have: same, want: disk, live: running(backlog("stream", 5))},
		"ignored": {have: same, want: func(s *schema.AgentSpec) {
			s.Sinks[0].Config["compression"] = "zstd"
			s.Settings = schema.Config{"drain": "1m"}
		}, live: running(), obj: func(o *resource.Object) { o.IgnoreChanges = []string{"sink.stream.compression", "drain"} }},
		"replace":               {have: same, want: same, live: running(), opt: resource.DiffOptions{Replace: true}},
		"replace with a change": {have: same, want: func(s *schema.AgentSpec) { s.Sinks[0].Config["compression"] = "zstd" }, live: running(), opt: resource.DiffOptions{Replace: true}},
		"replace with a change loses what cannot replay": {have: exec, want: func(s *schema.AgentSpec) { exec(s); s.Sinks[0].Config["compression"] = "zstd" }, live: running(backlog("stream", 1204), sinkState("retrying", "no broker")), opt: resource.DiffOptions{Replace: true}},
		"a restart and a change at once": {have: same, want: func(s *schema.AgentSpec) {
			s.Sinks[0].Config["compression"] = "zstd"
			s.Settings = schema.Config{"memory_limit": "256MiB"}
		}, live: running()},
		"restart loses what cannot replay":             {have: exec, want: func(s *schema.AgentSpec) { exec(s); s.Settings = schema.Config{"env": map[string]any{"A": "b"}} }, live: running(backlog("stream", 1204), sinkState("retrying", "no broker"))},
		"restart loses nothing that replays":           {have: same, want: func(s *schema.AgentSpec) { s.Settings = schema.Config{"env": map[string]any{"A": "b"}} }, live: running(backlog("stream", 1204), sinkState("retrying", "no broker"))},
		"destroy":                                      {have: same, live: running(backlog("stream", 3), sinkState("ok", ""))},
		"destroy and forget":                           {have: same, live: running(), opt: resource.DiffOptions{Destroy: true, ForgetPositions: true}},
		"destroy while the sink connects":              {have: disk, live: running(backlog("stream", 1204), connecting(time.Now()))},
		"destroy with a sink that never connects":      {have: disk, live: running(backlog("stream", 1204), connecting(time.Now().Add(-time.Minute)))},
		"destroy with a stuck disk":                    {have: disk, live: running(backlog("stream", 1204), sinkState("retrying", "no broker"))},
		"the branch goes and its loss is confirmed":    {have: alerts, want: same, live: running(backlog("alerts", 12345)), opt: resource.DiffOptions{Confirmed: []string{"agent.driver_info.channel.alerts"}}},
		"the branch goes with a restart":               {have: alerts, want: func(s *schema.AgentSpec) { same(s); s.Settings = schema.Config{"memory_limit": "256MiB"} }, live: running(backlog("alerts", 12345))},
		"the branch goes while the agent does not run": {have: alerts, want: same, live: api.Agent{State: api.Stopped, Components: []api.Component{backlog("alerts", 12345)}}},
		"a branch that is an orphan comes again": {have: same, want: alerts, live: func() api.Agent {
			a := running()
			a.Orphans = []api.Orphan{{Channel: "alerts", Events: 12345, Bytes: 2202010}}
			return a
		}()},
		"destroy of what cannot run":      {have: disk, live: api.Agent{State: api.Crashed, CannotRun: true, LastExit: "exit status 1", Components: []api.Component{backlog("stream", 1204)}}},
		"destroy of what crashed once":    {have: disk, live: api.Agent{State: api.Crashed, LastExit: "signal: killed", Components: []api.Component{backlog("stream", 1204)}}},
		"destroy of what was not drained": {have: disk, live: api.Agent{State: api.Stopped, Orphans: []api.Orphan{{Channel: "stream", Events: 7}}}},
	}
}

func hdfsSink() schema.SinkSpec {
	return schema.SinkSpec{Type: "hdfs", Name: "warehouse", Channel: "stream", Config: schema.Config{
		"path": expr(`"file:///w/wrk_date=${formatdate("YYYYMMDD", event.time)}"`), "roll": map[string]any{"size": "64MiB", "idle": "1m40s"},
	}}
}

func addInterceptor(s *schema.AgentSpec) {
	s.Sources[0].Interceptors = slices.Insert(s.Sources[0].Interceptors, 1, schema.InterceptorSpec{Type: "filter", Config: schema.Config{"keep": expr("true")}, At: at(40)})
}

func secret(fp string) func(*schema.AgentSpec) {
	return func(s *schema.AgentSpec) {
		s.Sinks[0].Config["provider"] = map[string]any{"brokers": []any{"@development_broker"}, "password": map[string]any{"secret": "p", "fp": fp}}
	}
}

func (c diffCase) objects(t *testing.T) (*resource.Object, *resource.Live) {
	t.Helper()
	build := func(change func(*schema.AgentSpec)) map[string]any {
		s := driver()
		change(s)
		m, err := tree(s)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	var want *resource.Object
	var live *resource.Live
	if c.want != nil {
		want = &resource.Object{Address: "agent.driver_info", Kind: "agent", Want: build(c.want), Places: map[string]string{
			"": "main.hcl:20", "sink.stream": "main.hcl:60", "sink.stream.compression": "main.hcl:61", "source.realtime": "main.hcl:21", "source.realtime.interceptor[1]": "main.hcl:23",
		}}
		if c.obj != nil {
			c.obj(want)
		}
	}
	if c.have != nil {
		live = &resource.Live{Address: "agent.driver_info", Have: build(c.have), Identity: map[string]string{"id": "x"}, Basis: "b", Figures: map[string]any{"agent": c.live}}
	}
	return want, live
}

func TestDiffSaysWhatApplyWillDo(t *testing.T) {
	k := newAgentKind(Options{Types: someTypes(), Layout: api.Layout{Data: t.TempDir()}})
	cases := diffCases()
	names := make([]string, 0, len(cases))
	for n := range cases {
		names = append(names, n)
	}
	sort.Strings(names)
	var out strings.Builder
	for _, name := range names {
		want, live := cases[name].objects(t)
		c, err := k.Diff(t.Context(), want, live, nil, cases[name].opt)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := json.Marshal(c); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		show(&out, name, c)
	}
	golden(t, "testdata/diff.golden", out.String())
}

func TestAnAgentUnderAnotherNameDoesNotGoOn(t *testing.T) {
	_, k := newWorld(t)
	cases := diffCases()
	_, old := cases["destroy"].objects(t)
	want, _ := cases["a new agent"].objects(t)
	want.Address = `agent.driver_info["x"]`
	var err error
	if k.left, err = k.leaving([]*resource.Live{old}, []*resource.Object{want}); err != nil {
		t.Fatal(err)
	}
	const told = "tail.realtime does not go on where tail.realtime of agent.driver_info stops"
	says := func() bool {
		c, err := k.Diff(t.Context(), want, nil, nil, resource.DiffOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(c.Items, func(it resource.Item) bool { return strings.HasPrefix(it.Note, told) })
	}
	if !says() {
		t.Error("nothing is said of what comes again")
	}
	if err := os.MkdirAll(filepath.Join(k.Layout.Kept(), api.AgentID(want.Address)), 0o700); err != nil {
		t.Fatal(err)
	}
	if says() {
		t.Error("an agent that goes on at its own positions is said not to")
	}
}

// Each type that a source had has positions of its own.
func TestASourceOfATypeThatItHadGoesOn(t *testing.T) {
	k := newAgentKind(Options{Types: someTypes(), Layout: api.Layout{Data: t.TempDir()}})
	dir := filepath.Join(k.Layout.AgentDir("x"), "data", api.SourceDir("realtime"))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	leave := func(name, typ string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("collect-positions 1 0\n{\"type\":\""+typ+"\"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	says := func() string {
		want, live := diffCase{have: same, live: api.Agent{ID: "x"}, want: func(s *schema.AgentSpec) { s.Sources[0].Type = "generator" }}.objects(t)
		c, err := k.Diff(t.Context(), want, live, nil, resource.DiffOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var notes []string
		for _, it := range c.Items {
			notes = append(notes, it.Note)
		}
		return strings.Join(notes, "\n")
	}
	leave("positions", "tail")
	if got := says(); !strings.Contains(got, "begins anew") {
		t.Error(got)
	}
	leave("positions.generator", "generator")
	if got := says(); !strings.Contains(got, "goes on at the positions that an earlier source of this type left") {
		t.Error(got)
	}
}

func show(out *strings.Builder, name string, c *resource.Change) {
	fmt.Fprintf(out, "== %s\n%s", name, c.Action)
	for _, s := range []string{c.Reason, c.Note} {
		if s != "" {
			fmt.Fprintf(out, " | %s", s)
		}
	}
	out.WriteString("\n")
	for _, it := range c.Items {
		fmt.Fprintf(out, "  %s %s", it.Action, it.Path)
		if it.Before != nil || it.After != nil {
			fmt.Fprintf(out, "  %s -> %s", anatomy.Text(it.Before), anatomy.Text(it.After))
		}
		if it.Sensitive {
			out.WriteString("  (sensitive)")
		}
		fmt.Fprintf(out, "  [%s] %s  %s\n", it.Effect, it.Note, it.Place)
	}
	for _, l := range c.Loss {
		fmt.Fprintf(out, "  LOSS %s %d %s\n", l.Address, l.Events, l.What)
	}
	if s := stringList(c.Detail[detailSummary]); len(s) > 0 || c.Detail[detailRestart] == true {
		fmt.Fprintf(out, "  %s\n", doing(c, c.Detail[detailRestart] == true))
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if os.Getenv("UPDATE") != "" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (want -, got +); UPDATE=1 writes it:\n%s", path, d)
	}
}

func TestAnAgentThatDoesNotAnswerIsAnErrorNotADifference(t *testing.T) {
	k := newAgentKind(Options{Types: someTypes()})
	_, err := k.Diff(t.Context(), nil, &resource.Live{Address: "agent.a", Unread: "process 7 holds its lock and does not answer"}, nil, resource.DiffOptions{})
	if err == nil || !strings.Contains(err.Error(), "process 7") {
		t.Errorf("got %v", err)
	}
}
