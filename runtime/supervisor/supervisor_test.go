package supervisor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"collect/runtime/supervisor/api"
)

func TestAgentsComeBackAndOutliveTheirSupervisor(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	in.start(in.ensure(), spec("agent.a"))
	first := in.agent("agent.a")
	if first.State != api.Running || first.PID == 0 {
		t.Fatalf("started: %+v", first)
	}
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	in.until("another process", func() bool {
		a := in.agent("agent.a")
		return a.State == api.Running && a.PID != first.PID && a.Restarts == 1 && strings.Contains(a.LastExit, "killed")
	})
	second := in.agent("agent.a")

	in.kill("supervise")
	if a := in.agent("agent.a"); a.PID != second.PID || a.State != api.Running {
		t.Fatalf("without supervisor: %+v", a)
	}
	c := in.ensure()
	in.until("adoption", func() bool {
		r, err := c.Supervisor(t.Context())
		return err == nil && len(r.Agents) == 1 && r.Agents[0].Adopted && r.Agents[0].PID == second.PID
	})
	in.start(c, spec("agent.a"))
	if n := in.processes("agent"); len(n) != 1 || n[0] != second.PID {
		t.Fatalf("processes %v, want only %d", n, second.PID)
	}
	if err := syscall.Kill(second.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	in.until("a third process", func() bool { a := in.agent("agent.a"); return a.State == api.Running && a.PID != second.PID })

	in.kill("supervise")
	in.kill("agent")
	c = in.ensure()
	in.until("what is desired after both died", func() bool { return in.agent("agent.a").State == api.Running })
	if _, err := c.Stop(t.Context(), api.AgentID("agent.a"), api.StopRequest{}); err != nil {
		t.Fatal(err)
	}
	if a := in.agent("agent.a"); a.State != api.Stopped || len(in.processes("agent")) != 0 {
		t.Fatalf("stopped: %+v", a)
	}
}

func TestAProcessInheritsNothing(t *testing.T) {
	t.Setenv("SECRET_OF_THE_SHELL", "x")
	t.Setenv("TZ", "Asia/Seoul")
	pipe := inheritedPipe(t)
	in := newInstallation(t)
	in.start(in.ensure(), spec("agent.a", "HADOOP_USER_NAME", "etl"))
	pid := in.agent("agent.a").PID
	for _, p := range []int{pid, in.processes("supervise")[0]} {
		fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p))
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil && to == pipe {
				t.Errorf("process %d inherited %s", p, pipe)
			}
		}
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Fatal(err)
	}
	for e := range strings.SplitSeq(strings.TrimSuffix(string(environ), "\x00"), "\x00") {
		name, _, _ := strings.Cut(e, "=")
		if !strings.Contains(" PATH TZ LANG HADOOP_USER_NAME ", " "+name+" ") {
			t.Errorf("inherited %s", e)
		}
	}
	if !strings.Contains(string(environ), "HADOOP_USER_NAME=etl\x00") {
		t.Errorf("env of the agent is missing: %q", environ)
	}
	link := func(name string) string {
		s, err := os.Readlink(fmt.Sprintf("/proc/%d/%s", pid, name))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if got := link("cwd"); got != "/" {
		t.Errorf("cwd %s", got)
	}
	if got := link("fd/0"); got != "/dev/null" {
		t.Errorf("stdin %s", got)
	}
	for _, fd := range []string{"fd/1", "fd/2"} {
		if got := link(fd); !strings.HasSuffix(got, "agent.log") {
			t.Errorf("%s is %s", fd, got)
		}
	}
	if got := link("exe"); !strings.HasPrefix(got, filepath.Join(in.l.Data, "bin")) {
		t.Errorf("runs %s", got)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	if session := strings.Fields(string(stat))[5]; session != fmt.Sprint(pid) {
		t.Errorf("session %s, want its own, %d", session, pid)
	}
}

// inheritedPipe opens a pipe as a shell leaves it to its children, and gives its name.
func inheritedPipe(t *testing.T) string {
	t.Helper()
	var ends [2]int
	if err := unix.Pipe2(ends[:], 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = unix.Close(ends[0]), unix.Close(ends[1]) })
	name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", ends[1]))
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func TestACrashingAgentIsShownWithItsCause(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	if err := in.ensure().Start(t.Context(), spec("agent.a", "CRASH", "1")); err != nil {
		t.Fatal(err)
	}
	in.until("two crashes", func() bool {
		a := in.agent("agent.a")
		return a.State == api.Crashed && a.Restarts >= 2 && a.LastExit == "exit status 1" && strings.HasPrefix(a.NotReady, "starts again")
	})
	// A corrected spec starts at once, whatever the pause is.
	in.start(in.ensure(), spec("agent.a"))
}

func TestPausesBetweenStartsGrow(t *testing.T) {
	for fails, most := range []time.Duration{1, 2, 4, 8, 16, 30, 30, 30} {
		for range 100 {
			if p := restartPause(fails); p < most*time.Second/2 || p > most*time.Second {
				t.Fatalf("after %d failures: %v, want between half and all of %v", fails, p, most*time.Second)
			}
		}
	}
}

func TestOnlyOneSupervisor(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := Ensure(t.Context(), in.l, os.Args[0]); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	in.until("the others to end", func() bool {
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
		return len(in.processes("supervise")) == 1
	})
}

// A supervisor that is stopped for a while still is the supervisor.
func TestAStoppedSupervisorKeepsItsPlace(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	in.start(in.ensure(), spec("agent.a"))
	pid := in.processes("supervise")[0]
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := Ensure(ctx, in.l, os.Args[0]); err == nil || !strings.Contains(err.Error(), fmt.Sprint(pid)) {
		t.Fatalf("while it is stopped: %v", err)
	}
	if a := in.agent("agent.a"); a.State != api.Running {
		t.Fatalf("the agent: %+v", a)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	in.ensure()
	if n := in.processes("supervise"); len(n) != 1 || n[0] != pid {
		t.Fatalf("supervisors %v, want %d", n, pid)
	}
}

func TestAChangedProgramIsNotRun(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	c := in.ensure()
	in.start(c, spec("agent.a"))
	bins, _ := filepath.Glob(filepath.Join(in.l.Data, "bin", "*", "collect"))
	if len(bins) != 1 {
		t.Fatalf("programs: %v", bins)
	}
	raw, err := os.ReadFile(bins[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(bins[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bins[0], append(raw, 'x'), 0o500); err != nil {
		t.Fatal(err)
	}
	in.kill("agent")
	in.until("the refusal", func() bool {
		a := in.agent("agent.a")
		return a.State == api.Crashed && strings.Contains(a.LastExit, "was changed since it was copied")
	})
}

func TestAnotherBuildTakesOver(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	in.start(in.ensure(), spec("agent.a"))
	agent, old := in.agent("agent.a").PID, in.processes("supervise")[0]
	newer := filepath.Join(t.TempDir(), "newer")
	raw, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(newer, append(raw, "newer"...), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Ensure(t.Context(), in.l, newer); err != nil {
		t.Fatal(err)
	}
	in.until("the old supervisor to end", func() bool {
		_, _ = syscall.Wait4(old, nil, syscall.WNOHANG, nil)
		n := in.processes("supervise")
		return len(n) == 1 && n[0] != old
	})
	if n := in.processes("agent"); len(n) != 1 || n[0] != agent {
		t.Fatalf("agents %v, want %d as before", n, agent)
	}
	bins, _ := filepath.Glob(filepath.Join(in.l.Data, "bin", "*"))
	if len(bins) != 2 {
		t.Errorf("programs %v: the one that the agent runs must stay", bins)
	}
}
