package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"collect/planner/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPlanTouchesNothing(t *testing.T) {
	r := newRig(t, oneAgent)
	r.want(0, "Plan: 1 to add, 0 to change, 0 to destroy.", "plan")
	if _, err := os.Stat(r.data); !os.IsNotExist(err) {
		t.Errorf("plan made the data directory: %v", err)
	}
	r.want(0, "", "validate")
	r.want(0, "flowchart", "graph")
	r.want(0, "Nothing was applied yet", "show")
	r.want(0, "", "status")
	r.want(0, "Plan: 0 to add, 0 to change, 0 to destroy.", "destroy", "-auto-approve", "-json")
	if _, err := os.Stat(r.data); !os.IsNotExist(err) {
		t.Errorf("looking made the data directory: %v", err)
	}
}

func TestApplyThenNoChangesThenDestroy(t *testing.T) {
	r := newRig(t, oneAgent)
	got := r.want(0, "Applied: 1 added, 0 changed, 0 destroyed. Revision 1.", "apply", "-auto-approve")
	if !strings.Contains(got.out, "size = 1") || !strings.Contains(got.out, "Try:  collect -chdir="+r.dir+" status") {
		t.Errorf("after apply:\n%s", got.out)
	}
	r.want(0, "No changes.", "plan", "-detailed-exitcode")
	r.want(2, "update agent.a", "plan", "-detailed-exitcode", "-var", "size=2")
	r.want(0, "0 added, 1 changed", "apply", "-auto-approve", "-var=size=2")
	r.want(0, "agent.a", "state", "list")
	r.want(0, "origin       created", "state", "show", "agent.a")
	r.want(1, "Did you mean agent.a?", "state", "show", "agent.b")
	r.want(0, "revision 2", "show")
	r.want(0, "delete agent.a", "destroy", "-auto-approve")
	if len(r.w.things) > 0 {
		t.Errorf("left: %v", r.w.things)
	}
	if _, err := os.Stat(filepath.Join(r.data, "lock")); !os.IsNotExist(err) {
		t.Errorf("the lock file is left: %v", err)
	}
	for _, name := range []string{"state.journal"} {
		if _, err := os.Stat(filepath.Join(r.data, name)); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
}

func TestOnlyYesApproves(t *testing.T) {
	r := newRig(t, oneAgent)
	got := r.want(1, "There is no terminal to ask on: add -auto-approve", "apply")
	if strings.Contains(got.out, "create") || r.w.reads > 0 {
		t.Errorf("planned before refusing:\n%s", got.out)
	}
	r.want(1, "-json asks no question", "apply", "-json")
	r.tty = true
	r.want(1, "There is no terminal", "apply", "-input=false")
	for _, answer := range []string{"no\n", "y\n", "YES\n", "", "\n"} {
		r.in = answer
		r.want(1, "Nothing was changed.", "apply")
	}
	if len(r.w.things) > 0 {
		t.Fatalf("made without a yes: %v", r.w.things)
	}
	r.in = "yes\n"
	r.want(0, "Applied: 1 added", "apply")
}

func TestSavedPlans(t *testing.T) {
	r := newRig(t, oneAgent)
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	r.want(0, "", "plan", "-out="+first)
	r.want(0, "create agent.a", "show", first)
	r.config("") // later edits do not count
	r.want(0, "Applied: 1 added", "apply", first)
	r.want(1, "stale: agent.a changed after it was made. Make a new plan", "apply", first)
	r.config(oneAgent)
	r.want(0, "", "plan", "-out="+second, "-var=size=9")
	raw, err := os.ReadFile(second)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-20] ^= 1
	if err := os.WriteFile(second, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	r.want(1, "is damaged", "apply", second)
	r.want(1, "is damaged", "show", second)

	other := newRig(t, oneAgent)
	other.want(0, "", "plan", "-out="+second)
	r.want(1, "made for another installation", "apply", second)
}

const secretAgent = `
variable "password" {
  type      = string
  sensitive = true
}
agent "a" {
  source "gen" "in" {
    password = var.password
    channels = [channel.all]
  }
  channel "mem" "all" {}
  sink "out" "k" { channel = channel.all }
}
output "password" {
  value     = var.password
  sensitive = true
}
`

func TestSecretsAppearNowhere(t *testing.T) {
	r := newRig(t, secretAgent)
	dir := t.TempDir()
	plan := filepath.Join(dir, "plan")
	var seen []string
	r.env = append(r.env, "COLLECT_VAR_password=hunter2")
	run := func(code int, args ...string) {
		got := r.want(code, "", args...)
		seen = append(seen, got.out, got.err)
	}
	run(0, "plan", "-out="+plan)
	run(0, "plan", "-json")
	run(0, "show", "-json", plan)
	run(0, "apply", plan)
	run(0, "show", "-json")
	run(0, "output", "-json")
	run(1, "output", "-raw", "password")
	run(0, "state", "show", "agent.a")
	r.want(0, "No changes", "plan", "-detailed-exitcode")
	r.want(2, "update agent.a", "plan", "-detailed-exitcode", "-var", "password=changed")
	for _, root := range []string{r.data, dir} {
		err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				raw, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				seen = append(seen, path+": "+string(raw))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range seen {
		if strings.Contains(s, "hunter2") {
			t.Errorf("the secret stands in:\n%s", s)
		}
	}
}

func TestLossNeedsItsWord(t *testing.T) {
	r := newRig(t, oneAgent)
	r.want(0, "", "apply", "-auto-approve")
	r.w.loss = 1204
	r.want(1, "1204 events in agent.a.channel.c would be lost: confirm with -confirm-loss=agent.a.channel.c", "destroy", "-auto-approve")
	if len(r.w.things) != 1 {
		t.Fatal("destroyed")
	}
	r.want(0, "delete agent.a", "destroy", "-auto-approve", "-confirm-loss=agent.a.channel.c")
}

func TestFailedApply(t *testing.T) {
	r := newRig(t, oneAgent)
	r.w.fail = errors.New("port is taken")
	r.want(1, "failed agent.a port is taken", "apply", "-auto-approve")
	r.w.fail = nil
	r.want(0, "Applied: 1 added", "apply", "-auto-approve")
}

func TestUnreadableState(t *testing.T) {
	r := newRig(t, oneAgent)
	r.want(0, "", "apply", "-auto-approve")
	for content, want := range map[string]string{"": "is empty (0 bytes)", "{": "is damaged", `{"version":9}`: "newer version"} {
		if err := os.WriteFile(filepath.Join(r.data, "state.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"plan"}, {"apply", "-auto-approve"}, {"destroy", "-auto-approve"}, {"status"}, {"output"}} {
			r.want(1, want, args...)
		}
	}
	if got := r.want(1, "State cannot be read", "status", "-json"); !strings.Contains(got.out, `"agents": [`) {
		t.Errorf("what runs is shown without the state too:\n%s", got.out)
	}
	if err := os.Remove(filepath.Join(r.data, "state.json")); err != nil {
		t.Fatal(err)
	}
	r.want(0, "No changes.", "plan", "-detailed-exitcode")
	if len(r.w.things) != 1 {
		t.Error("something was destroyed")
	}
}

func TestTheSecondApplyAtTheSameTimeIsTold(t *testing.T) {
	r := newRig(t, oneAgent)
	var inner result
	r.w.during = func(string) { inner = r.run("apply", "-auto-approve", "-var=size=2") }
	r.want(0, "Applied: 1 added", "apply", "-auto-approve")
	if inner.code != 1 || !strings.Contains(inner.err, "is locked by process") || !strings.Contains(inner.err, "collect apply") {
		t.Errorf("second apply: %+v", inner)
	}
	r.w.during = func(string) { inner = r.run("plan") }
	r.want(0, "1 changed", "apply", "-auto-approve", "-var=size=3")
	if inner.code != 1 || !strings.Contains(inner.err, "is locked by process") {
		t.Errorf("plan during an apply: %+v", inner)
	}
}

func TestFirstInterruptFinishesTheRunningStep(t *testing.T) {
	two := oneAgent + strings.NewReplacer(`agent "a"`, `agent "b"`).Replace(oneAgent[strings.Index(oneAgent, "agent \"a\""):strings.Index(oneAgent, "output")])
	r := newRig(t, two)
	told := make(chan struct{})
	r.deps.Screen = func(w io.Writer, _ bool, _ int) Screen { return plainScreen{watcher{w, "Interrupt received", told}} }
	r.w.during = func(string) {
		r.signals <- syscall.SIGINT
		<-told
	}
	got := r.want(1, "Interrupt received", "apply", "-auto-approve", "-parallelism=1")
	if len(r.w.things) != 1 || !strings.Contains(got.out, "skipped agent.b interrupted") {
		t.Errorf("made %v\n%s", r.w.things, got.out)
	}
	r.w.during = nil
	r.want(0, "Applied: 1 added", "apply", "-auto-approve")
}

// watcher closes a channel when a text is written.
type watcher struct {
	io.Writer
	text string
	seen chan struct{}
}

func (w watcher) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.text) {
		close(w.seen)
	}
	return w.Writer.Write(p)
}

func TestAnInterruptWhilePlanningChangesNothing(t *testing.T) {
	r := newRig(t, oneAgent)
	var once sync.Once
	r.w.reading = func(ctx context.Context) {
		once.Do(func() { r.signals <- syscall.SIGINT })
		<-ctx.Done()
	}
	got := r.want(1, "Nothing was changed.", "apply", "-auto-approve")
	if strings.Count(got.err, "Error:") != 1 || len(r.w.things) > 0 {
		t.Errorf("made %v\n%s", r.w.things, got.err)
	}
}

func TestSecondInterruptEndsAtOnce(t *testing.T) {
	r := newRig(t, oneAgent)
	stuck := make(chan struct{})
	t.Cleanup(func() {
		close(stuck)
		goleak.VerifyNone(t) // what was not waited for still writes into the directory that is removed next
	})
	r.w.during = func(string) {
		r.signals <- syscall.SIGINT
		r.signals <- syscall.SIGINT
		<-stuck
	}
	r.want(1, "Running steps were not waited for", "apply", "-auto-approve")
	st, err := state.Load(r.data)
	if err != nil || st.Known("agent.a") == nil || st.Known("agent.a").Intent == "" {
		t.Errorf("the intent is not remembered: %+v, %v", st, err)
	}
}

func TestProtectedExitsOne(t *testing.T) {
	r := newRig(t, strings.Replace(oneAgent, `agent "a" {`, "agent \"a\" {\n  lifecycle {\n    prevent_destroy = true\n  }", 1))
	r.want(0, "", "apply", "-auto-approve")
	r.want(1, "protected agent.a", "destroy", "-auto-approve")
	if len(r.w.things) != 1 {
		t.Error("destroyed")
	}
}

func TestOutputs(t *testing.T) {
	r := newRig(t, oneAgent)
	r.want(0, "", "apply", "-auto-approve")
	if got := r.want(0, "", "output", "-raw", "size"); got.out != "1" {
		t.Errorf("-raw: %q", got.out)
	}
	if got := r.want(0, "", "output", "-raw", "text"); got.out != "\x1b[31mred" {
		t.Errorf("-raw into a pipe: %q", got.out)
	}
	r.tty = true
	if got := r.want(0, "", "output", "-raw", "text"); strings.Contains(got.out, "\x1b") {
		t.Errorf("-raw on a terminal: %q", got.out)
	}
	r.want(0, `"type": "number"`, "output", "-json")
	r.want(1, `Did you mean "size"?`, "output", "sise")
}

func TestFmt(t *testing.T) {
	r := newRig(t, "agent \"a\" {\n  # a comment\n    env={}\n}\n")
	r.want(3, "main.hcl", "fmt", "-check")
	r.want(3, "+  env = {}", "fmt", "-check", "-diff")
	r.want(0, "main.hcl", "fmt")
	r.want(0, "", "fmt", "-check")
	raw, err := os.ReadFile(filepath.Join(r.dir, "main.hcl"))
	if err != nil || !strings.Contains(string(raw), "# a comment") {
		t.Errorf("%s %v", raw, err)
	}
	r.in = "x=1\n"
	if got := r.want(0, "", "fmt", "-"); got.out != "x = 1\n" {
		t.Errorf("from standard input: %q", got.out)
	}
	r.config("agent {{{")
	r.want(1, "Error", "fmt")
	if raw, err := os.ReadFile(filepath.Join(r.dir, "main.hcl")); err != nil || string(raw) != "agent {{{" {
		t.Errorf("a broken file was changed: %q, %v", raw, err)
	}
	if err := os.Mkdir(filepath.Join(r.dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	r.config("x = 1\n")
	if err := os.WriteFile(filepath.Join(r.dir, "sub", "b.hcl"), []byte("y=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.want(0, "", "fmt", "-check")
	r.want(3, "b.hcl", "fmt", "-check", "-recursive")
}

func TestSmallCommands(t *testing.T) {
	r := newRig(t, oneAgent)
	r.want(0, "Nothing to initialise", "init")
	r.want(0, "collect 1.2.3", "version")
	r.want(0, `"librdkafka": "2.0"`, "version", "-json")
	r.want(0, `"source.gen"`, "providers", "schema", "-json")
	r.want(0, "gen", "providers")
	r.want(0, "version of this program", "version", "-help")
}

// A key that lies in a directory where nothing was applied, such as one that came with a checkout, marks no secret.
