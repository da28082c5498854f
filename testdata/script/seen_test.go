package script

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"collect/runtime/supervisor/api"
)

// component finds a component of an agent that answers.
func component(seen api.Installation, agent, kindName string) *api.Component {
	for _, a := range seen.Agents {
		for i := range a.Components {
			if c := &a.Components[i]; a.Address == agent && string(c.Kind)+"."+c.Name == kindName {
				return c
			}
		}
	}
	return nil
}

// figure LIMIT AGENT KIND.NAME FIELD OP N: waits until a figure of a component, as status -json names it, compares so.
func figure(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 6 || neg {
		ts.Fatalf("usage: figure LIMIT AGENT KIND.NAME FIELD OP N")
	}
	want, err := strconv.ParseFloat(args[5], 64)
	ts.Check(err)
	last := "no such component"
	ok := poll(limit(ts, args[0]), func() bool {
		c := component(survey(ts), args[1], args[2])
		if c == nil {
			return false
		}
		raw, err := json.Marshal(c)
		ts.Check(err)
		fields := map[string]any{}
		ts.Check(json.Unmarshal(raw, &fields))
		got, isNumber := fields[args[3]].(float64)
		if !isNumber {
			ts.Fatalf("%s is no number in %s", args[3], raw)
		}
		last = string(raw)
		switch args[4] {
		case "==":
			return got == want
		case ">=":
			return got >= want
		case "<=":
			return got <= want
		}
		ts.Fatalf("unknown comparison %s", args[4])
		return false
	})
	if !ok {
		ts.Fatalf("%s %s: %s was never %s %s; at last: %s", args[1], args[2], args[3], args[4], args[5], last)
	}
}

// state LIMIT AGENT STATE: waits until an agent is in a state: running, stopped, crashed. Absent means that there is none.
func state(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 || neg {
		ts.Fatalf("usage: state LIMIT AGENT STATE")
	}
	last := ""
	ok := poll(limit(ts, args[0]), func() bool {
		last = "absent"
		for _, a := range survey(ts).Agents {
			if a.Address == args[1] {
				last = string(a.State)
			}
		}
		return last == args[2]
	})
	if !ok {
		ts.Fatalf("%s was never %s; at last: %s", args[1], args[2], last)
	}
}

// fds NAME AGENT REGEXP: puts what an agent has open, and what matches, into the variable: files by inode, sockets by their number.
func fds(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: fds NAME AGENT REGEXP")
	}
	open := openFiles(ts, args[1], args[2])
	if open == "" {
		ts.Fatalf("%s has nothing open that matches %s", args[1], args[2])
	}
	ts.Setenv(args[0], open)
}

// samefds NAME AGENT REGEXP: what matches is still the same, in the same descriptors.
func sameFds(ts *testscript.TestScript, neg bool, args []string) {
	now := openFiles(ts, args[1], args[2])
	if was := ts.Getenv(args[0]); (now == was) == neg {
		ts.Fatalf("%s has open\n%s\nwas\n%s", args[1], now, was)
	}
}

func openFiles(ts *testscript.TestScript, agent, pattern string) string {
	pid := pidOf(ts, agent)
	if pid == 0 {
		ts.Fatalf("%s does not run", agent)
	}
	re, err := regexp.Compile(pattern)
	ts.Check(err)
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	ts.Check(err)
	var open []string
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err == nil && re.MatchString(target) {
			open = append(open, e.Name()+" "+target)
		}
	}
	sort.Strings(open)
	return strings.Join(open, "\n")
}

// oneeach N: N agents run, each in one process and no more.
func oneEach(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	seen := map[string]int{}
	for _, pid := range processes(ts.Getenv("DATA")) {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			continue // it has just ended
		}
		args := strings.Split(string(raw), "\x00")
		if i := slices.Index(args, "--id"); i > 0 && i+1 < len(args) {
			seen[args[i+1]]++
		}
	}
	for id, n := range seen {
		if n != 1 {
			ts.Fatalf("%d processes of %s", n, id)
		}
	}
	if len(seen) != want {
		ts.Fatalf("%d agents run, want %d: %v", len(seen), want, seen)
	}
}

// powercut: ends all processes of the installation at once, the supervisor first, as kill -9 does.
func powerCut(ts *testscript.TestScript, _ bool, _ []string) {
	if pid := pidOf(ts, "supervisor"); pid != 0 {
		ts.Check(syscall.Kill(pid, syscall.SIGKILL))
	}
	ok := poll(time.Minute, func() bool {
		left := processes(ts.Getenv("DATA"))
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
		}
		return len(left) == 0
	})
	if !ok {
		ts.Fatalf("processes are left")
	}
}
