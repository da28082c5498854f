package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"collect/hclspec/schema"
	"collect/planner/render"
	"collect/planner/state"
	"collect/runtime/supervisor"
	"collect/runtime/supervisor/api"
)

const withTopic = `
topic "t" {
  partitions = 2
}
agent "a" {
  source "gen" "in" {
    channels = [channel.all]
  }
  channel "mem" "all" {}
  sink "kafka" "k" {
    channel = channel.all
    topic   = topic.t
  }
}
agent "b" {
  source "gen" "in" {
    channels = [channel.all]
  }
  channel "mem" "all" {}
  sink "out" "k" {
    channel = channel.all
    path    = "/srv/out/x.log"
  }
}
`

// foreground records what run did.
type foreground struct {
	mu     sync.Mutex // guards events
	events []string
}

func (f *foreground) note(s string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, s)
}

func (f *foreground) agents(r *rig) func(context.Context, supervisor.Foreground) error {
	return func(ctx context.Context, run supervisor.Foreground) error {
		for _, m := range run.Agents {
			var spec schema.AgentSpec
			raw, err := os.ReadFile(filepath.Join(run.Layout.AgentDir(m.ID), "spec.json"))
			if err != nil {
				return err
			}
			if err := json.Unmarshal(raw, &spec); err != nil || spec.Address != m.Address {
				return fmt.Errorf("%s: %w", m.Address, err)
			}
			f.note("begins " + spec.Address)
		}
		r.signals <- syscall.SIGINT
		<-ctx.Done()
		for _, m := range run.Agents {
			f.note("drained " + m.Address)
		}
		return nil
	}
}

func TestRunMakesWhatIsMissingAndDrainsOnTheFirstSignal(t *testing.T) {
	r := newRig(t, withTopic)
	f := &foreground{}
	r.deps.RunAgents = f.agents(r)
	r.deps.RunBroker = func(ctx context.Context, _ api.Layout, _ *slog.Logger, ready func(string)) error {
		f.note("broker begins")
		ready("127.0.0.1:1")
		<-ctx.Done()
		f.note("broker ends")
		return ctx.Err()
	}
	r.want(0, "Draining", "run")
	if r.w.things["topic.t"] == nil || r.w.things["agent.a"] != nil {
		t.Errorf("made %v, want the topic alone", r.w.things)
	}
	if f.events[0] != "broker begins" || f.events[len(f.events)-1] != "broker ends" || len(f.events) != 6 {
		t.Errorf("events %v", f.events)
	}
	st, err := state.Load(r.data)
	if err != nil || st.Known("topic.t") == nil || st.Known("agent.a") != nil || st.Revision != 0 {
		t.Errorf("state %+v, %v", st, err)
	}
	f.events = nil
	r.want(0, "", "run", "a")
	if strings.Contains(strings.Join(f.events, " "), "agent.b") {
		t.Errorf("run of one agent: %v", f.events)
	}
}

func TestRunEndsWithTheExitCodeOfItsAgents(t *testing.T) {
	r := newRig(t, withTopic)
	r.deps.RunBroker = func(ctx context.Context, _ api.Layout, _ *slog.Logger, ready func(string)) error {
		ready("x")
		<-ctx.Done()
		return nil
	}
	r.deps.RunAgents = func(context.Context, supervisor.Foreground) error {
		return errors.Join(nil, &supervisor.EndedError{Address: "agent.a", Code: 3})
	}
	r.want(3, "Events were given up", "run")
	r.deps.RunBroker = func(context.Context, api.Layout, *slog.Logger, func(string)) error {
		return errors.New("port is taken")
	}
	r.want(1, "Port is taken", "run")
}

func TestRunRefusesAnAgentThatRuns(t *testing.T) {
	r := newRig(t, oneAgent)
	dir := api.Layout{Data: r.data}.AgentDir(api.AgentID("agent.a"))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{r.data, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	lock, err := api.TakeLock(filepath.Join(dir, "lock"), "b", "agent")
	if err != nil {
		t.Fatal(err)
	}
	r.want(1, "agent.a: it runs already as process", "run")
	r.deps.RunAgents = func(context.Context, supervisor.Foreground) error { return nil }
	released := make(chan error, 1)
	time.AfterFunc(100*time.Millisecond, func() { released <- lock.Release() })
	r.want(0, "", "run", "-lock-timeout=1m") // it waits for what is ending
	if err := <-released; err != nil {
		t.Fatal(err)
	}
}

func TestRunGoesOnWithKeptPositions(t *testing.T) {
	r := newRig(t, oneAgent)
	l := api.Layout{Data: r.data}
	id := api.AgentID("agent.a")
	if err := os.MkdirAll(filepath.Join(l.Kept(), id), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(l.Kept(), id, "positions"), []byte("7"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.deps.RunAgents = func(_ context.Context, f supervisor.Foreground) error {
		raw, err := os.ReadFile(filepath.Join(f.Layout.AgentDir(f.Agents[0].ID), "data", "positions"))
		if string(raw) != "7" {
			t.Errorf("positions %q, %v", raw, err)
		}
		return nil
	}
	r.want(0, "", "run")
}

func TestHiddenCommandsPassTheirLayout(t *testing.T) {
	r := newRig(t, "")
	var got []string
	r.deps.RunAgent = func(_ context.Context, a AgentProcess) error {
		got = append(got, "agent "+a.ID+" "+a.Layout.Data)
		return nil
	}
	r.deps.Supervise = func(_ context.Context, l api.Layout, _ *slog.Logger) error {
		got = append(got, "supervisor "+l.Data)
		return nil
	}
	r.deps.RunBroker = func(_ context.Context, l api.Layout, _ *slog.Logger, _ func(string)) error {
		got = append(got, "broker "+l.Data)
		return nil
	}
	l := api.Layout{Data: "/var/lib/x"}
	for _, args := range [][]string{api.AgentArgs(l, "id-1"), api.SuperviseArgs(l), api.BrokerArgs(l)} {
		r.want(0, "", args...)
	}
	if want := "agent id-1 /var/lib/x,supervisor /var/lib/x,broker /var/lib/x"; strings.Join(got, ",") != want {
		t.Errorf("got %v", got)
	}
	r.want(1, "must be an absolute path", "supervise")
	r.want(1, "must be the name", "agent", "run", "--data-dir=/x", "--id=../y")
	for _, hidden := range []string{"supervise", "broker"} {
		if help := r.want(0, "COMMANDS", "-help"); strings.Contains(help.out, "\n   "+hidden+" ") {
			t.Errorf("help shows %s", hidden)
		}
	}
}

func TestLogs(t *testing.T) {
	r := newRig(t, oneAgent)
	dir := api.Layout{Data: r.data}.AgentDir("some-id") // a moved agent keeps its directory
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(r.data, 0o700); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"meta.json": `{"address":"agent.a","id":"some-id"}`, "agent.log": "one\ntwo\x1b[2J\nthree\n"}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.want(0, "", "logs", "agent.a"); got.out != "one\ntwo\\x1b[2J\nthree\n" {
		t.Errorf("all: %q", got.out)
	}
	if got := r.want(0, "", "logs", "a", "-n=1"); got.out != "three\n" {
		t.Errorf("last: %q", got.out)
	}
	if err := os.WriteFile(filepath.Join(dir, "agent.log.1"), []byte("first\nsecond\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"-n=3": "one\ntwo\\x1b[2J\nthree\n", "-n=4": "second\none\ntwo\\x1b[2J\nthree\n",
		"-n=9": "first\nsecond\none\ntwo\\x1b[2J\nthree\n", "-n=0": "first\nsecond\none\ntwo\\x1b[2J\nthree\n",
	} {
		if got := r.want(0, "", "logs", "a", args); got.out != want {
			t.Errorf("%s, with a file that was put aside: %q", args, got.out)
		}
	}
	r.want(1, "Did you mean agent.a?", "logs", "agent.b")
	r.want(1, "has written nothing", "logs", "supervisor")

	// Following goes on over an exchanged file, and ends with a signal.
	log := filepath.Join(dir, "agent.log")
	pr, pw := io.Pipe()
	r.deps.Screen = func(w io.Writer, _ bool, _ int) Screen { return plainScreen{w} }
	done := make(chan int, 1)
	go func() {
		done <- Main(t.Context(), r.deps, []string{"collect", "-chdir=" + r.dir, "logs", "a", "-f", "-n=1"}, r.env, strings.NewReader(""), pw, io.Discard)
		pw.Close()
	}()
	expect := func(want string) {
		t.Helper()
		buf := make([]byte, len(want))
		if _, err := io.ReadFull(pr, buf); err != nil || string(buf) != want {
			t.Fatalf("got %q, %v, want %q", buf, err, want)
		}
	}
	expect("three\n")
	f, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("four\n"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	expect("four\n")
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, []byte("five\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("five\n")
	r.signals <- syscall.SIGINT
	if code := <-done; code != 0 {
		t.Errorf("exit %d", code)
	}
}

// Who follows a log that stays as it is, and stops reading, as head does, is not waited for.
func TestLogsThatNobodyReadsEnd(t *testing.T) {
	r := newRig(t, oneAgent)
	r.want(0, "", "apply", "-auto-approve")
	dir := api.Layout{Data: r.data}.AgentDir("some-id")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"meta.json": `{"address":"agent.x","id":"some-id"}`, "agent.log": "one\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pw.Close()
	done := make(chan int, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() {
		done <- Main(ctx, r.deps, []string{"collect", "-chdir=" + r.dir, "logs", "x", "-f"}, r.env, strings.NewReader(""), pw, io.Discard)
	}()
	line := make([]byte, 4)
	if _, err := io.ReadFull(pr, line); err != nil || string(line) != "one\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	pr.Close()
	if code := <-done; code != 0 || ctx.Err() != nil {
		t.Errorf("exit %d, %v", code, ctx.Err())
	}
}

func TestServiceUnit(t *testing.T) {
	r := newRig(t, strings.Replace(withTopic, "/srv/out/x.log", "/srv/out 100%/x.log", 1))
	got := r.want(0, "[Service]", "service").out
	for _, want := range []string{
		"ExecStart=/usr/bin/collect supervise --data-dir " + r.data + "\n", "ReadWritePaths=-/tmp\n",
		"ReadWritePaths=\"-/srv/out 100%%\"\n", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=\n", "SystemCallFilter=@system-service",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if _, err := os.Stat(r.data); !os.IsNotExist(err) {
		t.Errorf("service made the data directory: %v", err)
	}
}

// Nothing foreign reaches a terminal as a control byte, with the real screen.
func TestNoForeignControlBytes(t *testing.T) {
	hostile := "\\u001b]52;c;ZXZpbA==\\u0007\\u202e\\u009b2J\\r"
	r := newRig(t, strings.Replace(oneAgent, "red\"", hostile+"\"", 1)+"\n")
	r.deps.Screen = func(w io.Writer, _ bool, width int) Screen { return render.New(w, render.Options{Width: width}) }
	r.w.fail = errors.New("bad \x1b]0;title\x07 \u202e")
	var all []result
	all = append(all, r.run("plan"), r.run("apply", "-auto-approve"))
	r.w.fail = nil
	all = append(all, r.run("apply", "-auto-approve"), r.run("output"), r.run("output", "text"), r.run("show"), r.run("state", "list"), r.run("graph"), r.run("status"))
	all = append(all, r.run("plan", "-json"), r.run("show", "-json"), r.run("status", "-json"), r.run("output", "-json"), r.run("apply", "-auto-approve", "-json"))
	all = append(all, r.run("plan", "-target=\x1b[2J"), r.run("\x1b[2J"), r.run("logs", "\u202ex"), r.run("apply", "\x1b[2J"), r.run("plan", "-var", "x\x1b=1"))
	r.config("agent \"\u202e\x1b[2J\" {}\n")
	all = append(all, r.run("plan"), r.run("validate"), r.run("fmt"), r.run("validate", "-json"))
	for i, got := range all {
		if strings.ContainsAny(got.out+got.err, "\x1b\x07\r\u009b\u202e") {
			t.Errorf("command %d wrote control bytes: %q", i, got.out+got.err)
		}
	}
}
