// Package script runs the whole program as its users do: real processes, real signals, one *.txtar file a behaviour.
package script

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"collect/runtime/supervisor/api"
	"collect/testdata/servertest"
)

// scriptsAtOnce is how many scripts run at the same time on a small machine: they mostly wait.
const scriptsAtOnce = 4

var binary string // of the program under test, built once

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); runtime.GOMAXPROCS(0) < scriptsAtOnce && f.Value.String() == f.DefValue {
		_ = f.Value.Set(strconv.Itoa(scriptsAtOnce)) // a number is taken
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "collect-script-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "collect")
		args := []string{"build", "-o", binary}
		if raceEnabled {
			args = append(args, "-race")
		}
		build := exec.Command("go", append(args, "collect")...)
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "build:", err)
			return 1
		}
		if err := os.Setenv("GOTMPDIR", dir); err != nil { // where testscript works: it leaves its directory when only some scripts run
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		code := servertest.Main(m)
		if left := named(dir, "cmdline", "environ"); len(left) > 0 {
			fmt.Fprintln(os.Stderr, "left after all tests: processes", left)
			endAll(dir) // also those of data directories that a failed script chose itself
			return 1
		}
		return code
	}())
}

func TestScripts(t *testing.T) { testscript.Run(t, params(".")) }

// params says how the scripts of a folder are run.
func params(dir string) testscript.Params {
	return testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE") != "",
		Setup:               setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await":        await,
			"lines":        lines,
			"kill9":        kill9,
			"nothingleft":  nothingLeft,
			"pidof":        pidof,
			"samepid":      samePID,
			"kafka":        kafka,
			"hdfs":         hdfs,
			"unique":       unique,
			"topichas":     topicHas,
			"hdfslines":    hdfsLines,
			"broker":       broker,
			"repeat":       repeat,
			"figure":       figure,
			"state":        state,
			"fds":          fds,
			"samefds":      sameFds,
			"jsonlines":    jsonLines,
			"isjson":       isJSON,
			"flip":         flip,
			"onlysecret":   onlySecret,
			"freeport":     freePort,
			"signal":       signal,
			"filehas":      fileHas,
			"tmpfs":        tmpfs,
			"grow":         grow,
			"copydir":      copyDir,
			"subst":        subst,
			"oneeach":      oneEach,
			"powercut":     powerCut,
			"load":         load,
			"kills":        kills,
			"allonce":      allOnce,
			"allintopic":   allInTopic,
			"ownhdfs":      ownHDFS,
			"ownkafka":     ownKafka,
			"hangkafka":    hangKafka,
			"killdatanode": killDataNode,
			"safemode":     safeMode,
			"hdfsdir":      hdfsDir,
			"hdfsonce":     hdfsOnce,
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "servers":
				return os.Getenv("COLLECT_SERVERS") == "require", nil
			case "root":
				return os.Getuid() == 0, nil
			case "mount":
				return canMount(), nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
	}
}

// setup gives each script an installation of its own, and ends what it leaves.
func setup(env *testscript.Env) error {
	run, err := os.MkdirTemp("", "cs") // short: a socket's path has 107 bytes
	if err != nil {
		return err
	}
	data := filepath.Join(env.WorkDir, "data")
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	h := &holder{grace: time.Minute}
	env.Values[holderKey{}] = h
	env.Setenv("COLLECT_DATA_DIR", data)
	env.Setenv("XDG_RUNTIME_DIR", run)
	env.Setenv("DATA", data)
	env.Setenv("RUN", run)
	env.Setenv("EXAMPLES", filepath.Join(root, "examples"))
	env.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
	env.Setenv("HOME", env.WorkDir)
	temp := env.Getenv("TMPDIR")
	env.Defer(func() { cleanUp(env.T(), data, run, temp, h.grace) })
	return nil
}

// processes lists the processes whose command line names a data directory.
func processes(data string) []int { return named(data, "cmdline") }

// named lists the processes one of whose files in /proc names a data directory.
func named(data string, files ...string) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		for _, of := range files {
			raw, err := os.ReadFile(filepath.Join("/proc", e.Name(), of))
			if err == nil && bytes.Contains(raw, []byte(data)) {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}

// poll tries until ok or the time is over.
func poll(limit time.Duration, ok func() bool) bool {
	deadline := time.Now().Add(limit)
	for tick := time.NewTicker(50 * time.Millisecond); ; <-tick.C {
		if ok() {
			tick.Stop()
			return true
		}
		if time.Now().After(deadline) {
			tick.Stop()
			return false
		}
	}
}

func limit(ts *testscript.TestScript, s string) time.Duration {
	d, err := time.ParseDuration(s)
	ts.Check(err)
	return d
}

// await LIMIT REGEXP COMMAND...: runs the command until it succeeds and what it prints matches.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 3 || neg {
		ts.Fatalf("usage: await LIMIT REGEXP COMMAND...")
	}
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	last := ""
	ok := poll(limit(ts, args[0]), func() bool {
		err := ts.Exec(args[2], args[3:]...)
		last = ts.ReadFile("stdout")
		return err == nil && re.MatchString(last)
	})
	if !ok {
		ts.Fatalf("%s: never matched %q; at last:\n%s", strings.Join(args[2:], " "), args[1], last)
	}
}

// lines LIMIT N GLOB: waits until the files hold exactly N lines together.
func lines(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 || neg {
		ts.Fatalf("usage: lines LIMIT N GLOB")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	got := 0
	ok := poll(limit(ts, args[0]), func() bool {
		got = len(allLines(ts, args[2]))
		return got >= want
	})
	if !ok || got != want {
		ts.Fatalf("%s: %d lines, want %d", args[2], got, want)
	}
}

// unique GLOB: no line stands twice in the files.
func unique(ts *testscript.TestScript, neg bool, args []string) {
	seen := map[string]bool{}
	for _, l := range allLines(ts, args[0]) {
		if seen[l] {
			ts.Fatalf("twice: %s", l)
		}
		seen[l] = true
	}
}

// allLines reads the files of a glob; ** stands for any directories. Files that are still written (.tmp) do not count.
func allLines(ts *testscript.TestScript, glob string) []string {
	glob = ts.MkAbs(glob)
	dir, pattern := filepath.Split(glob)
	deep := strings.Contains(dir, "**")
	root := strings.TrimSuffix(strings.SplitN(dir, "**", 2)[0], "/")
	var all []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if d.IsDir() {
			if !deep && path != root {
				return fs.SkipDir
			}
			return nil
		}
		if ok, err := filepath.Match(pattern, d.Name()); err != nil || !ok || strings.HasSuffix(path, ".tmp") {
			return err
		}
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // renamed meanwhile
		}
		for l := range strings.Lines(string(raw)) {
			all = append(all, l)
		}
		return err
	})
	ts.Check(err)
	return all
}

// survey asks the processes of the script's installation.
func survey(ts *testscript.TestScript) api.Installation {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	seen, err := api.Survey(ctx, api.NewLayout(ts.Getenv("DATA"), ts.Getenv("RUN")))
	ts.Check(err)
	return seen
}

func pidOf(ts *testscript.TestScript, who string) int {
	seen := survey(ts)
	if who == "supervisor" && seen.Supervisor != nil {
		return seen.Supervisor.PID
	}
	for _, a := range seen.Agents {
		if a.Address == who {
			return a.PID
		}
	}
	return 0
}

// kill9 ADDRESS...: ends agents, or the supervisor, as kill -9 does.
func kill9(ts *testscript.TestScript, _ bool, args []string) {
	for _, who := range args {
		pid := pidOf(ts, who)
		if pid == 0 {
			ts.Fatalf("%s does not run", who)
		}
		ts.Check(syscall.Kill(pid, syscall.SIGKILL))
	}
}

// pidof NAME ADDRESS: puts the process id into the variable NAME.
func pidof(ts *testscript.TestScript, _ bool, args []string) {
	pid := pidOf(ts, args[1])
	if pid == 0 {
		ts.Fatalf("%s does not run", args[1])
	}
	ts.Setenv(args[0], strconv.Itoa(pid))
}

// samepid NAME ADDRESS: the process is still the one of the variable; ! samepid: it is another.
func samePID(ts *testscript.TestScript, neg bool, args []string) {
	if now := strconv.Itoa(pidOf(ts, args[1])); (now == ts.Getenv(args[0])) == neg {
		ts.Fatalf("%s: process %s, was %s", args[1], now, ts.Getenv(args[0]))
	}
}

// repeat N COMMAND...: runs a command N times; each must succeed.
func repeat(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	for range n {
		ts.Check(ts.Exec(args[1], args[2:]...))
	}
}

// nothingleft: no process, socket, lock or temporary file of the installation is left. nothingleft stopped: the installation was not
// destroyed, so the files of its locks stay, held by nobody.
func nothingLeft(ts *testscript.TestScript, _ bool, args []string) {
	data, run := ts.Getenv("DATA"), ts.Getenv("RUN")
	if !poll(time.Minute, func() bool { return len(processes(data)) == 0 }) {
		for _, pid := range processes(data) {
			cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			ts.Logf("left: %d %s", pid, bytes.ReplaceAll(cmdline, []byte{0}, []byte{' '}))
		}
		ts.Fatalf("processes are left")
	}
	left := leftovers(run, data)
	if len(args) == 1 && args[0] == "stopped" {
		left = slices.DeleteFunc(left, func(p string) bool { return strings.HasSuffix(p, "lock") && !held(p) })
	}
	if len(left) > 0 {
		ts.Fatalf("left: %s", strings.Join(left, " "))
	}
	if temp, err := os.ReadDir(ts.Getenv("TMPDIR")); err == nil && len(temp) > 0 {
		ts.Fatalf("left in the temporary directory: %v", temp)
	}
}

// kafka NAME: puts the address of a real broker into the variable; the script must be guarded by [servers].
func kafka(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], servertest.Kafka(tb(ts)))
}

// hdfs NAME [DIR]: puts the address of a real NameNode into the variable, and a directory that no other test has into the second.
func hdfs(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], servertest.HDFS(tb(ts)))
	if len(args) > 1 {
		ts.Setenv(args[1], servertest.Unique("/collect"))
	}
}

// scriptTB lets servertest report through a script.
type scriptTB struct {
	testing.TB
	ts *testscript.TestScript
}

func tb(ts *testscript.TestScript) testing.TB        { return scriptTB{ts: ts} }
func (s scriptTB) Helper()                           {}
func (s scriptTB) Cleanup(f func())                  { s.ts.Defer(f) }
func (s scriptTB) Fatal(args ...any)                 { s.ts.Fatalf("%s", fmt.Sprint(args...)) }
func (s scriptTB) Fatalf(format string, args ...any) { s.ts.Fatalf(format, args...) }
func (s scriptTB) Skipf(format string, args ...any)  { s.ts.Fatalf(format, args...) }
