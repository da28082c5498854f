package script

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

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
