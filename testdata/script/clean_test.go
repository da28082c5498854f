package script

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cleanUp ends what a script has left. One that did not fail fails now if that is anything: a process, a socket, a temporary file.
func cleanUp(t testscript.T, data, run, temp string, grace time.Duration) {
	var left []string
	if f, ok := t.(interface{ Failed() bool }); ok && !f.Failed() {
		left = remains(data, run, temp, grace)
	}
	if !endAll(data) {
		left = append(left, "processes that cannot be ended")
	}
	if err := os.RemoveAll(run); err != nil {
		left = append(left, err.Error())
	}
	if len(left) > 0 {
		t.Fatal("the script leaves " + strings.Join(left, ", "))
	}
}

// remains lists what is left of an installation, after the grace for what is just ending.
func remains(data, run, temp string, grace time.Duration) []string {
	var left []string
	poll(grace, func() bool {
		left = nil
		for _, pid := range named(data, "cmdline", "environ") {
			cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // for the message only
			left = append(left, fmt.Sprintf("process %d %s", pid, bytes.ReplaceAll(cmdline, []byte{0}, []byte{' '})))
		}
		left = append(left, leftovers(run)...)
		entries, _ := os.ReadDir(temp) // it may be gone
		for _, e := range entries {
			left = append(left, filepath.Join(temp, e.Name()))
		}
		return len(left) == 0
	})
	return left
}

// endAll kills the processes of an installation until nothing is there twice: what is killed first may have started another.
func endAll(data string) bool {
	clean := 0
	return poll(time.Minute, func() bool {
		pids := named(data, "cmdline", "environ")
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
		}
		clean++
		if len(pids) > 0 {
			clean = 0
		}
		return clean == 2
	})
}

// script is one run of a script whose failure is looked at.
type script struct {
	failed bool
	log    strings.Builder
}

func (s *script) Skip(...any)   { runtime.Goexit() }
func (s *script) Parallel()     {}
func (s *script) Verbose() bool { return false }
func (s *script) Failed() bool  { return s.failed }
func (s *script) Log(a ...any)  { fmt.Fprintln(&s.log, a...) }

func (s *script) FailNow() {
	s.failed = true
	runtime.Goexit()
}

func (s *script) Fatal(a ...any) {
	s.Log(a...)
	s.FailNow()
}

func (s *script) Run(_ string, f func(testscript.T)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(s)
	}()
	<-done
}

// What scripts leave makes them fail, and is ended, also when they failed before.
func TestAScriptThatLeavesSomethingFails(t *testing.T) {
	const agent = "-- main.hcl --\n" + oneAgent
	for name, c := range map[string]struct{ text, socket, want string }{
		"nothing":                   {text: "exec collect apply -auto-approve\nexec collect destroy -auto-approve\nnothingleft\n", want: ""},
		"an agent":                  {text: "exec collect apply -auto-approve\n", want: "the script leaves process"},
		"another process":           {text: "exec sh -c 'sleep 600 >/dev/null 2>&1 &'\n", want: "sleep 600"},
		"a socket":                  {socket: "s.sock", want: "s.sock"},
		"a temporary file":          {text: "exec sh -c 'echo x >$TMPDIR/file'\n", want: ".tmp/file"},
		"an agent, after a failure": {text: "exec collect apply -auto-approve\nexec false\n", want: "unexpected command failure"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "leaves.txtar"), []byte(c.text+agent), 0o600); err != nil {
				t.Fatal(err)
			}
			p, data, run := params(dir), "", ""
			inner := p.Setup
			p.Setup = func(env *testscript.Env) error {
				err := inner(env)
				data, run = env.Getenv("DATA"), env.Getenv("RUN")
				if c.want != "" { // what is left stays: nothing is waited for
					env.Values[holderKey{}].(*holder).grace = 0
				}
				if c.socket == "" || err != nil {
					return err
				}
				l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(run, c.socket)})
				if err != nil {
					return err
				}
				l.SetUnlinkOnClose(false)
				return l.Close()
			}
			s := &script{}
			s.Run("", func(st testscript.T) { testscript.RunT(st, p) })
			if s.failed != (c.want != "") || !strings.Contains(s.log.String(), c.want) {
				t.Errorf("failed: %v, want %q in:\n%s", s.failed, c.want, s.log.String())
			}
			if pids := named(data, "cmdline", "environ"); len(pids) > 0 {
				t.Errorf("processes are left: %v", pids)
			}
			if _, err := os.Stat(run); !os.IsNotExist(err) {
				t.Errorf("the runtime directory is left: %v", err)
			}
		})
	}
}
