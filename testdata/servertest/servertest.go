// Package servertest starts the real servers that integration tests need: Apache Kafka (KRaft, one JVM) and Apache HDFS (a
// NameNode and a DataNode). Their jars come from Maven (testdata/pom.xml) once per checkout, into testdata/servers.
//
// A server lives as long as the test process. A package whose tests use this one has
//
//	func TestMain(m *testing.M) { os.Exit(servertest.Main(m)) }
//
// Plain go test skips such tests and says why. With COLLECT_SERVERS=require, as make test sets it, a missing JDK or Maven fails
// them with what to install.
package servertest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// registry holds what this test process started.
type registry struct {
	mu    sync.Mutex // guards stops
	stops []func()
}

var (
	shared      registry
	sharedKafka = sync.OnceValues(func() (*Broker, error) { return retried(startKafka) })
	sharedHDFS  = sync.OnceValues(func() (*Cluster, error) { return retried(startHDFS) })
)

// retried starts a server again when another process took one of its free ports first.
func retried[S any](start func() (S, error)) (s S, err error) {
	for range 3 {
		if s, err = start(); err == nil || !strings.Contains(err.Error(), "Address already in use") {
			break
		}
	}
	return s, err
}

// Main runs the tests of a package and stops what they started.
func Main(m *testing.M) int {
	code := m.Run()
	shared.stopAll()
	return code
}

func (r *registry) stopAll() {
	r.mu.Lock()
	stops := r.stops
	r.stops = nil
	r.mu.Unlock()
	for i := len(stops) - 1; i >= 0; i-- {
		stops[i]()
	}
}

func (r *registry) onStop(f func()) {
	r.mu.Lock()
	r.stops = append(r.stops, f)
	r.mu.Unlock()
}

var names atomic.Int64

// Unique makes a name of a topic or a directory that no test of the process has, also when a test runs several times.
func Unique(name string) string { return name + "-" + strconv.FormatInt(names.Add(1), 10) }

// Kafka gives the bootstrap address of a broker that all tests of the process share. Use topic names of your own: Unique.
func Kafka(t testing.TB) string {
	t.Helper()
	need(t, "Kafka")
	k, err := sharedKafka()
	if err != nil {
		t.Fatalf("start Kafka: %v", err)
	}
	return k.Bootstrap
}

// HDFS gives host:port of a NameNode that all tests of the process share. Use directories of your own: Unique.
func HDFS(t testing.TB) string {
	t.Helper()
	need(t, "HDFS")
	h, err := sharedHDFS()
	if err != nil {
		t.Fatalf("start HDFS: %v", err)
	}
	return h.NameNode
}

// need skips or fails the test when the servers cannot be started here.
func need(t testing.TB, what string) {
	t.Helper()
	required := os.Getenv("COLLECT_SERVERS") == "require"
	if !required {
		t.Skipf("needs a real %s: run make test, or set COLLECT_SERVERS=require", what)
	}
	for _, tool := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("needs a real %s, and there is no %q on PATH: install a JDK (17 or newer) and Maven", what, tool)
		}
	}
}

// root gives the top directory of the checkout.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// jars makes the jars of a Maven profile be there, once, also when several test processes ask at the same time.
func jars(profile string) (string, error) {
	pom := filepath.Join(root(), "testdata", "pom.xml")
	raw, err := os.ReadFile(pom)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	base := filepath.Join(root(), "testdata", "servers")
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(base, profile+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	lib := filepath.Join(base, profile+"-"+hex.EncodeToString(sum[:6]))
	if _, err := os.Stat(filepath.Join(lib, "complete")); err == nil {
		return lib, nil
	}
	cmd := exec.Command("mvn", "-q", "-B", "-f", pom, "-P", profile,
		"org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+lib)
	cmd.Env = append(os.Environ(), "MAVEN_OPTS="+os.Getenv("MAVEN_OPTS")+" -XX:-UsePerfData") // no file in the temporary directory
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetch the jars of %s with Maven: %w\n%s", profile, err, out)
	}
	return lib, os.WriteFile(filepath.Join(lib, "complete"), nil, 0o644)
}

// process is a child that dies with the test process.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string
	dead chan struct{}
}

func spawn(name, log string, args ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	// Java keeps to the system's temporary directory, whatever TMPDIR says, and a killed one leaves its files there.
	args = append([]string{"-Djava.io.tmpdir=" + filepath.Dir(log), "-XX:-UsePerfData"}, args...)
	cmd := exec.Command("java", args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p := &process{name: name, cmd: cmd, log: log, dead: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel ends the child when the thread that started it ends, so this thread must stay.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended does not matter: whoever needs it notices
			close(p.dead)
		}
	}()
	return p, <-started
}

func (p *process) signal(sig syscall.Signal) {
	if p != nil {
		_ = p.cmd.Process.Signal(sig) // it may be gone already
	}
}

func (p *process) kill(sig syscall.Signal) {
	if p == nil {
		return // it never started
	}
	p.signal(sig)
	select {
	case <-p.dead:
	case <-time.After(15 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.dead
	}
}

// await polls until ok, one of the processes dies or two minutes are over.
func await(what string, ok func() bool, all ...*process) error {
	deadline := time.Now().Add(2 * time.Minute)
	for !ok() {
		time.Sleep(100 * time.Millisecond) // between two looks
		for _, p := range all {
			select {
			case <-p.dead:
				return fmt.Errorf("%s ended before %s:\n%s", p.name, what, tail(p.log))
			default:
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not %s after two minutes:\n%s", all[0].name, what, tail(all[0].log))
		}
	}
	return nil
}

func tail(log string) string {
	raw, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	if len(raw) > 4000 {
		raw = raw[len(raw)-4000:]
	}
	return string(raw)
}

// freePorts gives n loopback ports that nobody uses at the moment.
func freePorts(n int) ([]int, error) {
	var ports []int
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close() // only reserved the number
		}
	}()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		held = append(held, l)
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

func accepts(port int) bool {
	c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
	if err != nil {
		return false
	}
	return c.Close() == nil
}

// workDir makes a directory that is removed when the test process ends.
func workDir(name string) (string, error) {
	dir, err := os.MkdirTemp("", "collect-"+name+"-")
	if err != nil {
		return "", err
	}
	shared.onStop(func() { _ = os.RemoveAll(dir) }) // a leftover in the temporary directory harms nobody
	return dir, nil
}

func write(dir string, files map[string]string) error {
	var errs []error
	for name, text := range files {
		path := filepath.Join(dir, name)
		errs = append(errs, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(strings.TrimLeft(text, "\n")), 0o644))
	}
	return errors.Join(errs...)
}
