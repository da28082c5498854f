package script

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"collect/testdata/servertest"
)

// TestSoakScripts runs the long kill loops of the folder soak, one *.txtar file each.
func TestSoakScripts(t *testing.T) {
	if os.Getenv("COLLECT_SOAK") == "" {
		t.Skip("takes many minutes: run make soak, or set COLLECT_SOAK=1")
	}
	testscript.Run(t, params("soak"))
}

// writer appends numbered lines to a file until it is told to end.
type writer struct {
	quit  chan struct{}
	ended sync.WaitGroup
	err   error // read when it has ended
}

// load start FILE RATE: appends "line N" to a file, so many a second, until load stop.
func load(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 1 && args[0] == "stop" {
		w := ts.Value(holderKey{}).(*holder)
		if w.writer == nil {
			ts.Fatalf("no load runs")
		}
		close(w.writer.quit)
		w.writer.ended.Wait()
		ts.Check(w.writer.err)
		w.writer = nil
		return
	}
	if len(args) != 3 || args[0] != "start" {
		ts.Fatalf("usage: load start FILE RATE, load stop")
	}
	rate, err := strconv.Atoi(args[2])
	ts.Check(err)
	path := ts.MkAbs(args[1])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o700))
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	ts.Check(err)
	w := &writer{quit: make(chan struct{})}
	ts.Value(holderKey{}).(*holder).writer = w
	w.ended.Go(func() { w.err = errors.Join(w.write(f, rate), f.Close()) })
	ts.Defer(func() {
		if ts.Value(holderKey{}).(*holder).writer == w {
			close(w.quit)
			w.ended.Wait()
		}
	})
}

func (w *writer) write(f *os.File, rate int) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	begin, n := time.Now(), 0
	for {
		select {
		case <-w.quit:
			return nil
		case <-tick.C:
		}
		var text strings.Builder
		for until := int(time.Since(begin).Seconds() * float64(rate)); n < until; n++ {
			fmt.Fprintf(&text, "line %d of the load\n", n+1)
		}
		if _, err := f.WriteString(text.String()); err != nil {
			return err
		}
	}
}

// holder is what a script keeps between its commands, under holderKey.
type holder struct {
	writer  *writer
	cluster *servertest.Cluster
	broker  *servertest.Broker
	grace   time.Duration // for what is just ending when the script has ended
}

type holderKey struct{}

// kills N WHO [ARG...]: kill -9 at N random moments: of an agent, of the supervisor, of apply with the arguments, or of run and its
// agents. What was killed comes back: an agent by the supervisor or, when that takes long, by the next apply; the supervisor by the next
// apply; run by the next one.
func kills(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: kills N WHO [ARG...]")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	who, more := args[1], args[2:]
	apply := append([]string{"apply", "-auto-approve"}, more...)
	for i := range n {
		if who == "run" {
			killRun(ts)
			continue
		}
		if who == "apply" {
			killApply(ts, append(apply, "-var", "generation="+strconv.Itoa(i)))
			continue
		}
		time.Sleep(rand.N(1500 * time.Millisecond)) // the moment is what is tried, not a wait for something
		pid := pidOf(ts, who)
		if pid == 0 {
			ts.Fatalf("%s does not run before kill %d", who, i+1)
		}
		ts.Check(syscall.Kill(pid, syscall.SIGKILL))
		back := func() bool { now := pidOf(ts, who); return now != 0 && now != pid }
		if who != "supervisor" && poll(5*time.Second, back) {
			continue
		}
		ts.Check(ts.Exec("collect", apply...))
		if !poll(60*time.Second, back) {
			ts.Fatalf("%s did not come back after kill %d", who, i+1)
		}
	}
}

// program is the program under test in a script's environment.
func program(ts *testscript.TestScript, args []string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "COLLECT_DATA_DIR", "XDG_RUNTIME_DIR", "COLLECT_VAR_brokers", "COLLECT_VAR_warehouse"} {
		if v := ts.Getenv(name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	return cmd
}

// killRun begins a run, ends one of its agents as kill -9 does, or none, and then run itself. The agents must end by themselves.
func killRun(ts *testscript.TestScript) {
	data := ts.Getenv("DATA")
	cmd := program(ts, []string{"run"})
	ts.Check(cmd.Start())
	time.Sleep(rand.N(1500 * time.Millisecond)) // the moment is what is tried
	if agents := processes(data); len(agents) > 0 && rand.N(2) == 0 {
		_ = syscall.Kill(agents[rand.N(len(agents))], syscall.SIGKILL) // it may have ended
		time.Sleep(rand.N(1500 * time.Millisecond))
	}
	_ = cmd.Process.Kill() // it may have ended with an agent that was killed while it started
	_ = cmd.Wait()
	if !poll(time.Minute, func() bool { return len(processes(data)) == 0 }) {
		ts.Fatalf("agents go on without run")
	}
}

// killApply begins an apply and ends it as kill -9 does, some time later.
func killApply(ts *testscript.TestScript, args []string) {
	cmd := program(ts, args)
	ts.Check(cmd.Start())
	time.Sleep(rand.N(700 * time.Millisecond)) // the moment is what is tried
	_ = cmd.Process.Kill()                     // it may have been quicker
	_ = cmd.Wait()                             // killed, as it should
}

// allonce LIMIT GLOB FILE: each line of the file comes to stand in the files, exactly once, and nothing else does.
func allOnce(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 || neg {
		ts.Fatalf("usage: allonce LIMIT GLOB FILE")
	}
	want := allLines(ts, args[2])
	var got []string
	poll(limit(ts, args[0]), func() bool { got = allLines(ts, args[1]); return len(got) >= len(want) })
	missing, doubled, strange := compare(want, got)
	if missing+doubled+strange > 0 {
		ts.Fatalf("%d lines: %d missing, %d more than once, %d strange", len(want), missing, doubled, strange)
	}
	ts.Logf("%d lines, each once", len(want))
}

// allintopic LIMIT BROKER TOPIC FILE: each line of the file comes to be in the topic, and nothing else is. Lines that came again are
// counted and told.
func allInTopic(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 4 || neg {
		ts.Fatalf("usage: allintopic LIMIT BROKER TOPIC FILE")
	}
	want := allLines(ts, args[3])
	for i := range want {
		want[i] = strings.TrimSuffix(want[i], "\n")
	}
	var missing, doubled, strange int
	var err error
	poll(limit(ts, args[0]), func() bool {
		var got []string
		got, err = topicLines(args[1], args[2])
		missing, doubled, strange = compare(want, got)
		return err == nil && missing == 0
	})
	ts.Check(err)
	if missing+strange > 0 {
		ts.Fatalf("%d lines: %d missing, %d strange", len(want), missing, strange)
	}
	ts.Logf("%d lines, %d came again", len(want), doubled)
}

func compare(want, got []string) (missing, doubled, strange int) {
	count := make(map[string]int, len(want))
	for _, l := range want {
		count[l] = 0
	}
	for _, l := range got {
		if _, ok := count[l]; !ok {
			strange++
			continue
		}
		count[l]++
	}
	for _, n := range count {
		if n == 0 {
			missing++
		}
		doubled += max(0, n-1)
	}
	return missing, doubled, strange
}

// ownkafka NAME: starts a broker of the script's own and puts its address into the variable.
func ownKafka(ts *testscript.TestScript, _ bool, args []string) {
	b := servertest.NewKafka(tb(ts))
	ts.Value(holderKey{}).(*holder).broker = b
	ts.Setenv(args[0], b.Bootstrap)
}

// hangkafka: the process of the broker of ownkafka stops. ! hangkafka: it goes on.
func hangKafka(ts *testscript.TestScript, neg bool, _ []string) {
	b := ts.Value(holderKey{}).(*holder).broker
	if neg {
		b.GoOn()
		return
	}
	b.Hang()
}

// ownhdfs NAME: starts a NameNode and a DataNode of the script's own and puts the address into the variable.
func ownHDFS(ts *testscript.TestScript, _ bool, args []string) {
	c := servertest.NewHDFS(tb(ts))
	ts.Value(holderKey{}).(*holder).cluster = c
	ts.Setenv(args[0], c.NameNode)
}

// killdatanode: ends the DataNode of ownhdfs as kill -9 does, and starts it again on its data.
func killDataNode(ts *testscript.TestScript, _ bool, _ []string) {
	c := ts.Value(holderKey{}).(*holder).cluster
	c.KillDataNode()
	c.StartDataNode(tb(ts))
}
