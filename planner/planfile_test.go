package planner

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"collect/hclspec/schema"
	"collect/planner/state"
)

func savedPlan(t testing.TB) (r *rig, p *Plan, name string, key *state.Key) {
	r = newRig(t)
	p = r.mustPlan(configOf(pipe()...), Options{})
	p.Objects["agent.sender"].Secrets = schema.Secrets{"agent.sender.sink.k.password": "hunter2"}
	key, err := state.TemporaryKey()
	if err != nil {
		t.Fatal(err)
	}
	name = filepath.Join(r.dir, "plan")
	if err := WritePlan(name, p, key); err != nil {
		t.Fatal(err)
	}
	return r, p, name, key
}

func TestPlanFileComesBackWhole(t *testing.T) {
	r, p, name, key := savedPlan(t)
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	raw, err := os.ReadFile(name)
	if err != nil || bytes.Contains(raw, []byte("hunter2")) {
		t.Errorf("the secret stands in the plan file (%v)", err)
	}
	f, err := ReadPlan(name)
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Open(p.Installation, key)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
	if a := r.apply(got, ApplyOptions{}); !a.OK() {
		t.Errorf("apply of the saved plan: %+v", a.Results)
	}
	if p := r.mustPlan(configOf(pipe()...), Options{}); !p.Empty() {
		t.Errorf("plan after it: %v", stepsOf(p))
	}
}

func TestPlanFileErrorsHaveASentenceEach(t *testing.T) {
	_, p, name, key := savedPlan(t)
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	other := p.Installation
	other.DataDir = "/elsewhere"
	machine := p.Installation
	machine.Machine = "m2"
	tests := map[string]struct {
		content []byte
		here    Installation
		want    string
	}{
		"another file":               {content: []byte("resource {}\n"), want: "is not a plan file"},
		"an empty file":              {content: nil, want: "is not a plan file"},
		"one byte of the plan":       {content: flip(good, len(good)/2), want: "is damaged"},
		"one byte of the code":       {content: flip(good, 20), want: "is damaged"},
		"cut short":                  {content: good[:len(good)-10], want: "is damaged"},
		"something added":            {content: append(bytes.Clone(good), ' '), want: "is damaged"},
		"written by a newer version": {content: bytes.Replace(good, []byte("collect plan 1 "), []byte("collect plan 9 "), 1), want: "newer version"},
		"another data directory":     {content: good, here: other, want: "another installation"},
		"another machine":            {content: good, here: machine, want: "on another machine"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "plan")
			if err := os.WriteFile(file, tt.content, 0o600); err != nil {
				t.Fatal(err)
			}
			here := p.Installation
			if tt.here.Name != "" {
				here = tt.here
			}
			f, err := ReadPlan(file)
			if err == nil {
				_, err = f.Open(here, key)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Count(err.Error(), "\n") > 0 {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	wrong, err := state.TemporaryKey()
	if err != nil {
		t.Fatal(err)
	}
	f, err := ReadPlan(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Open(p.Installation, wrong); err == nil {
		t.Error("a plan with another key was accepted")
	}
}

// A plan looks; what is in a file that somebody else wrote stays.
func TestAPlanReplacesOnlyPlans(t *testing.T) {
	_, p, name, key := savedPlan(t)
	if err := WritePlan(name, p, key); err != nil {
		t.Errorf("over an earlier plan: %v", err)
	}
	dir := t.TempDir()
	empty, config := filepath.Join(dir, "empty"), filepath.Join(dir, "main.hcl")
	for file, content := range map[string]string{empty: "", config: "agent \"a\" {}\n"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := WritePlan(empty, p, key); err != nil {
		t.Errorf("over an empty file, as mktemp makes it: %v", err)
	}
	for file, want := range map[string]string{config: "holds something else than a plan", dir: "is a directory", os.DevNull: "is not a regular file"} {
		if err := WritePlan(file, p, key); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", file, err, want)
		}
	}
	if raw, err := os.ReadFile(config); err != nil || string(raw) != "agent \"a\" {}\n" {
		t.Errorf("the configuration was overwritten: %q, %v", raw, err)
	}
}

func flip(b []byte, at int) []byte {
	c := bytes.Clone(b)
	c[at] ^= 1
	return c
}

// Every single byte of the file counts.
func TestEveryChangedByteIsRefused(t *testing.T) {
	_, p, name, key := savedPlan(t)
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "plan")
	for i := range good {
		if err := os.WriteFile(file, flip(good, i), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := ReadPlan(file)
		if err == nil {
			_, err = f.Open(p.Installation, key)
		}
		if err == nil {
			t.Fatalf("byte %d (%q) changed and nobody noticed", i, good[i])
		}
	}
}

func TestStalePlansNameWhatChanged(t *testing.T) {
	r := newRig(t)
	cfg := configOf(pipe()...)
	r.apply(r.mustPlan(cfg, Options{}), ApplyOptions{})
	nodes := pipe()
	nodes[2].value = 2.0
	p := r.mustPlan(configOf(nodes...), Options{})
	check := func() error {
		st, err := state.Load(r.dir)
		if err != nil {
			t.Fatal(err)
		}
		return CheckBasis(t.Context(), p, st, r.wrapped())
	}
	if err := check(); err != nil {
		t.Fatalf("nothing changed: %v", err)
	}
	r.w.things["agent.sender"] = thing{kind: KindAgent, value: 9.0} // the plan does not touch it
	if err := check(); err != nil {
		t.Fatalf("something else changed: %v", err)
	}
	r.w.things["agent.receiver"] = thing{kind: KindAgent, value: 9.0}
	err := check()
	var stale *StaleError
	if !errors.As(err, &stale) || !strings.Contains(err.Error(), "stale: agent.receiver changed") {
		t.Errorf("got %v", err)
	}
	delete(r.w.things, "agent.receiver")
	if err := check(); !errors.As(err, &stale) {
		t.Errorf("gone: got %v", err)
	}
}

func FuzzReadPlan(f *testing.F) {
	_, _, name, _ := savedPlan(f)
	good, err := os.ReadFile(name)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("collect plan 1 00\n{}"))
	f.Add([]byte("collect plan 2 00\n"))
	key, err := state.TemporaryKey()
	if err != nil {
		f.Fatal(err)
	}
	file := filepath.Join(f.TempDir(), "plan")
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := ReadPlan(file); err == nil {
			if _, err := p.Open(p.Plan.Installation, key); err == nil {
				t.Fatal("a plan that nobody authenticated was accepted")
			}
		}
	})
}
