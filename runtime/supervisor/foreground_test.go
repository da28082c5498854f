package supervisor

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"collect/hclspec/schema"
	"collect/runtime/supervisor/api"
)

// output is what a run wrote.
type output struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// stage is a run in the foreground.
type stage struct {
	*installation
	out, err output
	abort    chan struct{}
	stop     context.CancelFunc
	over     chan error
}

// foreground prepares agents, each with its environment, and runs them.
func foreground(t *testing.T, agents map[string]map[string]string) *stage {
	t.Helper()
	s := &stage{installation: newInstallation(t), abort: make(chan struct{}), over: make(chan error, 1)}
	f := Foreground{Layout: s.l, Out: &s.out, Err: &s.err, Log: slog.New(slog.NewTextHandler(&s.err, nil)), Abort: s.abort}
	for address, env := range agents {
		f.Agents = append(f.Agents, s.prepare(address, env))
	}
	ctx, stop := context.WithCancel(t.Context())
	s.stop = stop
	go func() { s.over <- RunForeground(ctx, f) }()
	t.Cleanup(stop)
	return s
}

func (in *installation) prepare(address string, env map[string]string) api.AgentMeta {
	in.t.Helper()
	if err := in.l.PrepareRun(); err != nil {
		in.t.Fatal(err)
	}
	r := spec(address)
	values := map[string]any{}
	for k, v := range env {
		values[k] = v
	}
	r.Spec.Settings = schema.Config{"env": values}
	if err := PrepareAgent(in.l, r.Meta, r.Spec, nil); err != nil {
		in.t.Fatal(err)
	}
	return r.Meta
}

func (s *stage) ended() error {
	s.t.Helper()
	select {
	case err := <-s.over:
		return err
	case <-time.After(wait):
		s.t.Fatalf("it does not end:\n%s", s.err.String())
		return nil
	}
}

func (in *installation) runs(address string) bool { return in.agent(address).State == api.Running }

func TestForegroundAgentsHaveTheirOwnProcessesAndEnvironments(t *testing.T) {
	t.Setenv("NAME", "the caller")
	s := foreground(t, map[string]map[string]string{"agent.a": {"NAME": "first"}, "agent.b": {"NAME": "second"}})
	s.until("both agents", func() bool { return s.runs("agent.a") && s.runs("agent.b") })
	if n := len(s.processes("--foreground")); n != 2 {
		t.Errorf("%d processes", n)
	}
	s.stop()
	if err := s.ended(); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"line two of first\n", "line two of second\n"} {
		if !strings.Contains(s.out.String(), want) {
			t.Errorf("no %q in output:\n%s", want, s.out.String())
		}
	}
	if s := s.out.String(); strings.Contains(s, "agent.") || strings.Count(s, "\n") != 4 {
		t.Errorf("what agents show is changed:\n%s", s)
	}
	if !regexp.MustCompile(`(?m)^agent\.a  log with [1-4] variables$`).MatchString(s.err.String()) {
		t.Errorf("log:\n%s", s.err.String())
	}
	if n := s.processes("--foreground"); len(n) != 0 {
		t.Errorf("left: %v", n)
	}
}

func TestAnAgentThatCannotStartEndsTheRun(t *testing.T) {
	s := foreground(t, map[string]map[string]string{"agent.a": {}, "agent.b": {"CRASH": "1"}})
	var ended *EndedError
	if err := s.ended(); !errors.As(err, &ended) || ended.Address != "agent.b" || ended.ExitCode() != 1 || !strings.Contains(err.Error(), "while it started") {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(s.err.String(), "agent.b  it crashes as it was told\n") {
		t.Errorf("log:\n%s", s.err.String())
	}
	if n := s.processes("--foreground"); len(n) != 0 {
		t.Errorf("left: %v", n)
	}
}

func TestAnAgentThatWasReadyStartsAgain(t *testing.T) {
	s := foreground(t, map[string]map[string]string{"agent.a": {"NAME": "it"}})
	s.until("the agent", func() bool { return s.runs("agent.a") })
	first := s.agent("agent.a").PID
	s.until("its being seen ready", func() bool { return strings.Contains(s.err.String(), "agent ready") })
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.until("another process", func() bool { a := s.agent("agent.a"); return a.State == api.Running && a.PID != first })
	s.stop()
	if err := s.ended(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(s.err.String(), "starts again") || strings.Contains(s.err.String(), "agent.a  log") {
		t.Errorf("log:\n%s", s.err.String())
	}
}

func TestTheExitCodeOfADrainIsKept(t *testing.T) {
	s := foreground(t, map[string]map[string]string{"agent.a": {}, "agent.b": {"EXIT": "3"}})
	s.until("both agents", func() bool { return s.runs("agent.a") && s.runs("agent.b") })
	s.stop()
	var ended *EndedError
	if err := s.ended(); !errors.As(err, &ended) || ended.ExitCode() != 3 || !strings.Contains(err.Error(), "events were given up") {
		t.Errorf("got %v", err)
	}
}

func TestAnAbortedDrainEndsAtOnce(t *testing.T) {
	s := foreground(t, map[string]map[string]string{"agent.a": {"HANG": "1"}})
	s.until("the agent", func() bool { return s.runs("agent.a") })
	s.stop()
	close(s.abort)
	if err := s.ended(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("got %v", err)
	}
}

func TestChildrenDrainWhenTheirParentIsKilled(t *testing.T) {
	in := newInstallation(t)
	gone := filepath.Join(t.TempDir(), "gone")
	for _, address := range []string{"agent.a", "agent.b"} {
		in.prepare(address, map[string]string{"GONE": gone + address})
	}
	parent := exec.Command(os.Args[0], "run", "--data-dir", in.l.Data, "agent.a", "agent.b")
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	in.until("both agents", func() bool { return in.runs("agent.a") && in.runs("agent.b") })
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	in.until("the end of the children", func() bool { return len(in.processes("--foreground")) == 0 })
	for _, address := range []string{"agent.a", "agent.b"} {
		if _, err := os.Stat(gone + address); err != nil {
			t.Errorf("%s did not end by itself: %v", address, err)
		}
	}
}

func TestLinesArePassedOnWhole(t *testing.T) {
	for prefix, want := range map[string]string{"": "a\nb\nc d\ne\n", "agent.a  ": "agent.a  a\nagent.a  b\nagent.a  c d\nagent.a  e\n"} {
		var out output
		l := &lines{to: &out, prefix: prefix}
		for _, p := range []string{"a\nb", "\nc ", "", "d\n", "e"} {
			if n, err := l.Write([]byte(p)); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
			if s := out.String(); s != "" && !strings.HasSuffix(s, "\n") {
				t.Errorf("half a line: %q", s)
			}
		}
		l.end()
		if out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
	}
}
