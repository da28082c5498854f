package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// TestMain is also the other process that some tests need: one that holds a lock until its input ends.
func TestMain(m *testing.M) {
	if path := os.Getenv("COLLECT_TEST_HOLD"); path != "" {
		if _, err := TakeLock(path, "b1", "agent.x"); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("held")
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func hold(t *testing.T, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "COLLECT_TEST_HOLD="+path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	buf := make([]byte, 200)
	if n, err := out.Read(buf); err != nil || !strings.HasPrefix(string(buf[:n]), "held") {
		t.Fatalf("holder: %q %v", buf[:n], err)
	}
	return cmd
}

// private gives a directory whose path is short enough for sockets, and that is ours alone.
func private(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ca")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestALockNamesItsHolderAndEndsWithIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	cmd := hold(t, path)
	h, held, err := Probe(path)
	if err != nil || !held || h.PID != cmd.Process.Pid || h.Build != "b1" || !h.Alive() {
		t.Fatalf("probe: %+v %v %v", h, held, err)
	}
	_, err = TakeLock(path, "", "")
	var he *HeldError
	if !errors.As(err, &he) || he.Holder.PID != cmd.Process.Pid || !strings.Contains(err.Error(), "agent.x") {
		t.Fatalf("second lock: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if h.Alive() {
		t.Error("a killed process is alive")
	}
	if _, held, err := Probe(path); held || err != nil {
		t.Fatalf("after kill -9: held %v, %v", held, err)
	}
	l, err := TakeLock(path, "b2", "me")
	if err != nil {
		t.Fatal(err)
	}
	if h, held, err := Probe(path); !held || err != nil || h.PID != os.Getpid() {
		t.Fatalf("own lock: %+v %v %v", h, held, err)
	}
	if err := l.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, held, err := Probe(path); held || err != nil {
		t.Fatalf("removed: held %v, %v", held, err)
	}
}

func TestProbingNeverKeepsALockFromBeingTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_, _, _ = Probe(path)
		}
	}()
	for range 50 {
		l, err := TakeLock(path, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Release(); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	<-done
}

func serve(t *testing.T, path string, h http.Handler) *Listener {
	t.Helper()
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, h, time.Second) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket is left: %v", err)
		}
	})
	return l
}

func TestAControlSocketIsPrivateAndReplacesAStaleOne(t *testing.T) {
	dir := filepath.Join(private(t), "run")
	path := filepath.Join(dir, "x.sock")
	if err := PrivateDir(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil { // as a killed process leaves it
		t.Fatal(err)
	}
	serve(t, path, http.NotFoundHandler())
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Fatalf("mode %v %v", info.Mode(), err)
	}
	if err := os.Chmod(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(filepath.Join(dir, "y.sock")); err == nil || !strings.Contains(err.Error(), "open to other users") {
		t.Fatalf("in an open directory: %v", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(private(t), "l")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(filepath.Join(link, "y.sock")); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Fatalf("through a link: %v", err)
	}
	if _, err := Listen(filepath.Join(dir, strings.Repeat("x", 110))); err == nil || !strings.Contains(err.Error(), "XDG_RUNTIME_DIR") {
		t.Fatalf("long path: %v", err)
	}
}

// Another user gets nothing, even where the permissions of the socket's file would let it connect.
func TestOtherUsersGetNothingFromAControlSocket(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to become another user")
	}
	dir := private(t)
	path := filepath.Join(dir, "x.sock")
	l := serve(t, path, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request of another user was handled") }))
	for p, mode := range map[string]os.FileMode{dir: 0o755, path: 0o666} {
		if err := os.Chmod(p, mode); err != nil {
			t.Fatal(err)
		}
	}
	verbs := []string{"GET /supervisor", "POST /start", "POST /stop", "POST /shutdown", "POST /broker/start", "POST /broker/stop", "GET /snapshot", "GET /spec", "POST /reload", "POST /drain", "POST /discard", "GET /metrics"}
	for _, verb := range verbs {
		got := make(chan string, 1)
		go func() {
			runtime.LockOSThread() // the thread ends with the goroutine: it is another user's
			got <- askAs(65534, path, verb+" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
		}()
		if s := <-got; s != "" {
			t.Errorf("%s: another user got %q", verb, s)
		}
	}
	if n := l.Refused(); n != int64(len(verbs)) {
		t.Errorf("refused %d, want %d", n, len(verbs))
	}
}

// askAs sends a request as another user and gives the answer.
func askAs(uid int, path, request string) string {
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); e != 0 {
		return "setresuid: " + e.Error()
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err.Error()
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return "connect: " + err.Error()
	}
	_ = unix.Send(fd, []byte(request), unix.MSG_NOSIGNAL) // it may be closed already
	buf := make([]byte, 100)
	n, _ := unix.Read(fd, buf)
	return string(buf[:max(n, 0)])
}

func TestAClientTellsRefusalsFromSilence(t *testing.T) {
	path := filepath.Join(private(t), "x.sock")
	if _, err := Dial(path).Spec(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Fatalf("no socket: %v", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /spec", func(w http.ResponseWriter, _ *http.Request) { WriteJSON(w, SpecReply{Hash: "h"}) })
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, r *http.Request) {
		var req ReloadRequest
		if err := ReadJSON(w, r, &req); err != nil {
			WriteError(w, http.StatusBadRequest, err)
			return
		}
		WriteError(w, http.StatusConflict, errors.New("channel c: disk is full"))
	})
	mux.HandleFunc("POST /start", func(w http.ResponseWriter, _ *http.Request) {
		WriteError(w, http.StatusServiceUnavailable, errors.New("ending"))
	})
	mux.HandleFunc("GET /snapshot", func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1<<10)); err != nil {
				return
			}
		}
	})
	serve(t, path, mux)
	c := Dial(path)
	if s, err := c.Spec(t.Context()); err != nil || s.Hash != "h" {
		t.Fatalf("%+v %v", s, err)
	}
	var re *RemoteError
	if err := c.Reload(t.Context(), ReloadRequest{}); !errors.As(err, &re) || re.Text != "channel c: disk is full" {
		t.Fatalf("refusal: %v", err)
	}
	if err := c.Start(t.Context(), StartRequest{}); !errors.Is(err, ErrEnding) {
		t.Fatalf("ending: %v", err)
	}
	c.longest = 1 << 16 // all of maxAnswer may take longer than an answer may, on a busy machine
	if _, err := c.Snapshot(t.Context()); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Fatalf("endless answer: %v", err)
	}
}

func TestSurveyNeedsNoSupervisor(t *testing.T) {
	data := t.TempDir()
	l := Layout{Data: data, Run: private(t)}
	write := func(dir, name string, v any) {
		t.Helper()
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]State{"agent.answers": Running, "agent.crashed": Crashed, "agent.silent": Unreachable, "agent.stopped": Stopped}
	for addr := range want {
		id := AgentID(addr)
		write(l.AgentDir(id), "meta.json", AgentMeta{Address: addr, ID: id})
		if addr != "agent.stopped" {
			write(l.AgentDir(id), "desired", Desired{State: "running"})
		}
	}
	write(l.BrokerDir(), "meta.json", BrokerMeta{Port: 4711})
	if err := os.MkdirAll(filepath.Join(l.AgentsDir(), "half-made"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{"agent.answers", "agent.silent"} {
		lock, err := TakeLock(filepath.Join(l.AgentDir(AgentID(addr)), "lock"), "b", addr)
		if err != nil {
			t.Fatal(err)
		}
		if err := lock.write(Holder{PID: os.Getpid(), Start: ownStart(t), Since: time.Now().Add(-time.Minute)}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = lock.Release() })
	}
	serve(t, l.AgentSocket(AgentID("agent.answers")), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		WriteJSON(w, Agent{State: Running, Ready: true})
	}))
	hang := make(chan struct{})
	defer close(hang)
	serve(t, l.AgentSocket(AgentID("agent.silent")), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))

	var seen Installation
	got := map[string]State{}
	for end := time.Now().Add(time.Minute); ; {
		var err error
		if seen, err = Survey(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		for _, a := range seen.Agents {
			got[a.Address] = a.State
		}
		if got["agent.answers"] != Unreachable || time.Now().After(end) { // on a slow machine an answer may come too late
			break
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if seen.Supervisor != nil || seen.Broker == nil || seen.Broker.Address != "127.0.0.1:4711" || seen.Broker.State != Stopped {
		t.Errorf("supervisor %+v, broker %+v", seen.Supervisor, seen.Broker)
	}
}

func ownStart(t *testing.T) string {
	t.Helper()
	s, _, err := processStart(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAgentIDsAreShortAndDifferent(t *testing.T) {
	seen := map[string]string{}
	for _, addr := range []string{"agent.a", `agent.a["5"]`, `agent.a["../../5"]`, `agent.a["` + strings.Repeat("x", 300) + `"]`, `agent.A`, `agent.한글`} {
		id := AgentID(addr)
		if len(id) > 33 || strings.ContainsAny(id, "/.") {
			t.Errorf("%s: %q", addr, id)
		}
		if seen[id] != "" {
			t.Errorf("%s and %s share %s", addr, seen[id], id)
		}
		seen[id] = addr
	}
}
