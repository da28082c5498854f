package script

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// place is an installation of its own, whose processes end with the test.
type place struct {
	dir, data, run string
	env            []string
}

func newPlace(t *testing.T, main string) *place {
	t.Helper()
	run, err := os.MkdirTemp("", "cs")
	if err != nil {
		t.Fatal(err)
	}
	p := &place{dir: t.TempDir(), run: run}
	p.data = filepath.Join(p.dir, "data")
	p.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "COLLECT_DATA_DIR=" + p.data, "XDG_RUNTIME_DIR=" + run}
	t.Cleanup(func() {
		if !endAll(p.data) {
			t.Error("processes cannot be ended")
		}
		_ = os.RemoveAll(run)
	})
	p.write(t, "conf/main.hcl", main)
	return p
}

func (p *place) write(t *testing.T, name, text string) {
	t.Helper()
	full := filepath.Join(p.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o700), os.WriteFile(full, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func (p *place) command(args ...string) *exec.Cmd {
	cmd := exec.Command(binary, append([]string{"-chdir=" + filepath.Join(p.dir, "conf")}, args...)...)
	cmd.Env = p.env
	return cmd
}

// try runs a command and gives what it printed.
func (p *place) try(args ...string) (string, error) {
	out, err := p.command(args...).CombinedOutput()
	return string(out), err
}

func (p *place) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := p.try(args...)
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

// withUmask starts a command under another umask; threads of a process share it, so a shell sets it.
func (p *place) withUmask(umask string, args ...string) *exec.Cmd {
	cmd := exec.Command("sh", append([]string{"-c", "umask " + umask + "; exec \"$@\"", "sh", binary, "-chdir=" + filepath.Join(p.dir, "conf")}, args...)...)
	cmd.Env = p.env
	return cmd
}

const everyKindOfFile = `
topic "t" {}
agent "a" {
  source "generator" "g" {
    count    = 200
    channels = [channel.disk, channel.memory]
  }
  source "spooldir" "s" {
    path     = "${path.data}/in"
    settle   = "100ms"
    channels = [channel.disk]
  }
  source "tail" "l" {
    include  = ["${path.data}/in/*.log"]
    channels = [channel.memory]
  }
  channel "disk" "disk" {}
  channel "memory" "memory" {}
  sink "file" "f" {
    channel = channel.disk
    path    = "${path.data}/out/f.log"
    roll {
      interval = "200ms"
    }
  }
  sink "kafka" "k" {
    channel = channel.memory
    topic   = topic.t
  }
}
`

// Modes: whatever the caller's umask, what an installation keeps is closed to other users: directories 0700, files and sockets 0600,
// the copied program 0500. Below work/ lies what the configuration asked for, as readable as its sinks make it; the directory above
// is closed.
func TestModesOfWhatAnInstallationKeeps(t *testing.T) {
	p := newPlace(t, everyKindOfFile)
	if out, err := p.withUmask("000", "apply", "-auto-approve").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p.write(t, "data/work/in/a.log", "one\ntwo\n")
	if !poll(time.Minute, func() bool {
		_, err := os.Stat(filepath.Join(p.data, "work/in/a.log.COMPLETED"))
		return err == nil
	}) {
		t.Error("the file was not collected")
	}
	seen := 0
	for _, root := range []string{p.data, p.run + "/collect"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // gone meanwhile
			}
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return nil
			}
			want := os.FileMode(0o600)
			switch {
			case d.IsDir():
				want = 0o700
			case filepath.Base(path) == "collect":
				want = 0o500
			}
			seen++
			if info.Mode().Perm() != want {
				t.Errorf("%s has mode %v, want %v", strings.TrimPrefix(path, p.dir), info.Mode(), want)
			}
			if path == filepath.Join(p.data, "work") {
				return fs.SkipDir
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 30 {
		t.Errorf("only %d files were looked at", seen)
	}
	p.must(t, "destroy", "-auto-approve")
}

const oneAgent = `
agent "a" {
  source "generator" "g" {
    rate     = 10
    channels = [channel.c]
  }
  channel "disk" "c" {}
  sink "null" "n" { channel = channel.c }
}
`

// Links: one that lies at a name under which an installation keeps something leads nobody's hand elsewhere. Either it is replaced
// or the command refuses; what it leads to stays as it is.
func TestLinksAtWellKnownNamesAreNotFollowed(t *testing.T) {
	names := []string{
		"owner.json", "runtime", "key", "lock", "state.json", "state.journal", "supervisor.lock", "supervisor.log",
		"bin/", "agents/", "work/", "agents/AGENT/", "agents/AGENT/lock", "agents/AGENT/agent.log", "agents/AGENT/spec.json", "agents/AGENT/data/",
	}
	p := newPlace(t, oneAgent)
	p.must(t, "apply", "-auto-approve")
	ids, err := os.ReadDir(filepath.Join(p.data, "agents"))
	if err != nil || len(ids) != 1 {
		t.Fatal(ids, err)
	}
	p.must(t, "destroy", "-auto-approve")
	for _, name := range names {
		t.Run(strings.ReplaceAll(name, "/", "-"), func(t *testing.T) {
			isDir := strings.HasSuffix(name, "/")
			full := filepath.Join(p.data, strings.ReplaceAll(name, "AGENT", ids[0].Name()))
			victim := filepath.Join(t.TempDir(), "victim")
			err := errors.Join(os.RemoveAll(p.data), os.MkdirAll(filepath.Dir(full), 0o700), os.Symlink(victim, full))
			if isDir {
				err = errors.Join(err, os.Mkdir(victim, 0o755))
			} else {
				err = errors.Join(err, os.WriteFile(victim, []byte("precious\n"), 0o644))
			}
			if err != nil {
				t.Fatal(err)
			}
			out, _ := p.try("apply", "-auto-approve", "-wait=0s") // it may refuse
			for _, pid := range processes(p.data) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			if !poll(time.Minute, func() bool { return len(processes(p.data)) == 0 }) {
				t.Fatal("processes are left")
			}
			info, err := os.Stat(victim)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if isDir {
				entries, err := os.ReadDir(victim)
				if err != nil || len(entries) > 0 || info.Mode().Perm() != 0o755 {
					t.Errorf("the directory has %v, mode %v, %v\n%s", entries, info.Mode(), err, out)
				}
				return
			}
			raw, err := os.ReadFile(victim)
			if err != nil || string(raw) != "precious\n" || info.Mode().Perm() != 0o644 {
				t.Errorf("the file holds %.200q, mode %v, %v\n%s", raw, info.Mode(), err, out)
			}
		})
	}
}

// Sockets: another user gets no answer from a running installation, whatever he asks, even where the modes of files would let him in.
func TestSocketsAnswerTheOwnerOnly(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to become another user")
	}
	p := newPlace(t, oneAgent)
	p.must(t, "apply", "-auto-approve")
	var sockets []string
	err := filepath.WalkDir(p.run, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Chmod(path, 0o755)
		}
		if d.Type() == fs.ModeSocket {
			sockets = append(sockets, path)
			return os.Chmod(path, 0o666)
		}
		return nil
	})
	if err != nil || len(sockets) != 2 {
		t.Fatal(sockets, err)
	}
	verbs := []string{
		"GET /snapshot", "GET /spec", "GET /health", "GET /metrics", "POST /reload", "POST /drain",
		"GET /supervisor", "POST /start", "POST /stop", "POST /broker/start", "POST /broker/stop", "POST /shutdown",
		"GET /debug/pprof/", "GET /debug/vars", "GET /tap", "OPTIONS *", "PUT /spec", "DELETE /", "GET /secrets", "CONNECT x:1",
	}
	for _, socket := range sockets {
		for _, verb := range verbs {
			if got := as(t, 65534, func() string { return ask(socket, verb+" HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}") }); got != "" {
				t.Errorf("%s: %s answered %q", filepath.Base(socket), verb, got)
			}
		}
		if got := as(t, 0, func() string { return ask(socket, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n") }); !strings.Contains(got, "404") {
			t.Errorf("%s: the owner got %q", filepath.Base(socket), got) // the test asks rightly
		}
	}
	if err := os.Chmod(p.run, 0o700); err != nil {
		t.Fatal(err)
	}
	if out := p.must(t, "status", "-json"); !strings.Contains(out, `"ready": true`) && !strings.Contains(out, `"ready":true`) {
		t.Errorf("it does not run as before: %s", out)
	}
}

// as runs something as another user, on a thread that ends with it.
func as(t *testing.T, uid int, do func() string) string {
	t.Helper()
	got := make(chan string, 1)
	go func() {
		runtime.LockOSThread()
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); e != 0 {
			got <- "setresuid: " + e.Error()
			return
		}
		got <- do()
	}()
	return <-got
}

func ask(socket, request string) string {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err.Error()
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: socket}); err != nil {
		return err.Error()
	}
	_ = unix.Send(fd, []byte(request), unix.MSG_NOSIGNAL) // it may be closed already
	buf := make([]byte, 200)
	n, _ := unix.Read(fd, buf)
	return string(buf[:max(n, 0)])
}

// Plan: looking at a configuration that nobody has read yet is safe. It names every file that it reads outside of its directory,
// writes nothing, runs nothing, and dials nothing with -refresh=false.
func TestPlanOfAHostileConfigurationIsSafe(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var dialled atomic.Int64
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			dialled.Add(1)
			_ = c.Close()
		}
	}()
	defer ln.Close()
	p := newPlace(t, strings.ReplaceAll(hostileConfiguration, "BROKER", ln.Addr().String()))
	conf := filepath.Join(p.dir, "conf")
	p.write(t, "outside/secret", "canary-outside\n")
	p.write(t, "outside/values", "x = \"canary-value\"\n")
	p.write(t, "outside/more", "locals { more = 1 }\n")
	for link, aim := range map[string]string{"inside": "secret", "collect.hclvars": "values", "z.hcl": "more"} {
		if err := os.Symlink("../outside/"+aim, filepath.Join(conf, link)); err != nil {
			t.Fatal(err)
		}
	}
	p.write(t, "bin/marker", "#!/bin/sh\ntouch \"$HOME/ran\"\n")
	for _, program := range []string{"sh", "git", "kinit", "env"} { // whatever would be run by name is ours
		if err := errors.Join(os.Chmod(filepath.Join(p.dir, "bin/marker"), 0o700), os.Symlink("marker", filepath.Join(p.dir, "bin", program))); err != nil {
			t.Fatal(err)
		}
	}
	p.env[0] = "PATH=" + filepath.Join(p.dir, "bin")
	before := picture(t, p.dir)
	for _, args := range [][]string{
		{"plan", "-refresh=false"},
		{"plan", "-refresh=false", "-json"},
		{"validate"},
		{"validate", "-json"},
		{"graph"},
		{"show"},
		{"fmt", "-check", "-diff"},
		{"status"},
		{"state", "list"},
		{"output"},
	} {
		out, err := p.try(args...)
		if strings.Contains(out, "canary") && args[0] != "plan" {
			t.Errorf("%v shows what stands outside:\n%s", args, out)
		}
		if args[0] == "plan" || args[0] == "validate" {
			if err != nil {
				t.Errorf("%v: %v\n%s", args, err, out)
			}
			flat := strings.Join(strings.Fields(out), "")
			for _, name := range []string{"conf/inside", "outside/secret", "conf/collect.hclvars", "conf/z.hcl", "/proc/self/environ"} {
				if !strings.Contains(flat, name) {
					t.Errorf("%v does not name %s:\n%s", args, name, out)
				}
			}
		}
		if after := picture(t, p.dir); !slices.Equal(before, after) {
			t.Errorf("%v changed files:\n%s\n%s", args, strings.Join(before, "\n"), strings.Join(after, "\n"))
		}
	}
	if n := dialled.Load(); n > 0 {
		t.Errorf("%d connections to the broker", n)
	}
	if pids := processes(p.data); len(pids) > 0 {
		t.Errorf("processes run: %v", pids)
	}
	if entries, err := os.ReadDir(p.run); err != nil || len(entries) > 0 {
		t.Errorf("the runtime directory holds %v, %v", entries, err)
	}
	asks := p.command("plan")
	if err := asks.Start(); err != nil {
		t.Fatal(err)
	}
	if !poll(time.Minute, func() bool { return dialled.Load() > 0 }) {
		t.Error("without -refresh=false the broker is not asked either: the test proves nothing")
	}
	_ = asks.Process.Kill() // it would wait for the broker
	_ = asks.Wait()
}

const hostileConfiguration = `
variable "x" { type = string }
provider "kafka" { brokers = ["BROKER"] }
topic "t" {}
output "a" { value = file("${path.root}/../outside/secret") }
output "b" { value = file("inside") }
output "c" { value = fileexists("/proc/self/environ") }
output "d" { value = sha256(var.x) }
agent "a" {
  source "tail" "l" {
    include  = ["${path.root}/../outside/*"]
    channels = [channel.c]
  }
  channel "disk" "c" {}
  sink "kafka" "k" {
    channel = channel.c
    topic   = topic.t
  }
}
`

// picture lists all files below a directory with what tells a change.
func picture(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		raw := []byte{}
		if d.Type().IsRegular() {
			raw, err = os.ReadFile(path)
		}
		all = append(all, fmt.Sprintf("%s %v %d %v %x", path, info.Mode(), info.Size(), info.ModTime().UnixNano(), bytes.TrimSpace(raw)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
