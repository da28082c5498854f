package state

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"collect/planner/resource"
)

func open(t testing.TB, dir string) *Store {
	t.Helper()
	st, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func load(t testing.TB, dir string) *State {
	t.Helper()
	s, err := Load(dir)
	must(t, err)
	return s
}

func TestStateSurvivesAKillBetweenAnyTwoRecords(t *testing.T) {
	dir := t.TempDir()
	st := open(t, dir)
	must(t, st.Intent("topic.a", "topic", resource.Create, true, []string{"kafka.development_broker"}))
	if k := load(t, dir).Known("topic.a"); k == nil || k.Intent != resource.Create || k.Origin != resource.Created || !k.Protect {
		t.Fatalf("after the intent: %+v", k)
	}
	must(t, st.Put(resource.Known{Address: "topic.a", Kind: "topic", Origin: resource.Created, Identity: map[string]string{"id": "1"}}, []string{"x"}))
	must(t, st.Put(resource.Known{Address: "topic.b", Kind: "topic", Origin: resource.Adopted}, nil))
	must(t, st.Remove("topic.b"))
	s := load(t, dir) // as after kill -9: nothing was closed
	if k := s.Known("topic.a"); k == nil || k.Intent != "" || k.Identity["id"] != "1" || s.Known("topic.b") != nil {
		t.Fatalf("after the records: %+v", s.Objects)
	}
	must(t, st.Finish(Result{Revised: true, Commit: "c", Root: "/r", Outputs: []Output{{Name: "o", Value: "v"}}, DependsOn: map[string][]string{"topic.a": {"y"}}}, time.Unix(5, 0)))
	must(t, st.Close())
	after := load(t, dir)
	if after.Revision != 1 || after.Commit != "c" || after.DependsOn("topic.a")[0] != "y" || len(after.Outputs) != 1 {
		t.Errorf("finished: %+v", after)
	}
	if _, err := os.Stat(filepath.Join(dir, "state.journal")); !os.IsNotExist(err) {
		t.Errorf("the journal is left: %v", err)
	}
}

// A crash between the whole state and the end of the journal plays records twice.
func TestRecordsMayBePlayedTwice(t *testing.T) {
	dir := t.TempDir()
	st := open(t, dir)
	must(t, st.Put(resource.Known{Address: "topic.a", Kind: "topic"}, nil))
	must(t, st.Remove("topic.a"))
	must(t, st.Put(resource.Known{Address: "topic.b", Kind: "topic"}, nil))
	journal, err := os.ReadFile(filepath.Join(dir, "state.journal"))
	must(t, err)
	must(t, st.Finish(Result{}, time.Unix(5, 0)))
	must(t, st.Close())
	want := load(t, dir).Objects
	must(t, os.WriteFile(filepath.Join(dir, "state.journal"), journal, 0o600))
	if diff := cmp.Diff(want, load(t, dir).Objects, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-once +twice):\n%s", diff)
	}
}

func TestATornRecordNeverCounted(t *testing.T) {
	dir := t.TempDir()
	st := open(t, dir)
	must(t, st.Put(resource.Known{Address: "topic.a", Kind: "topic"}, nil))
	must(t, st.Put(resource.Known{Address: "topic.b", Kind: "topic"}, nil))
	must(t, st.Close())
	name := filepath.Join(dir, "state.journal")
	whole, err := os.ReadFile(name)
	must(t, err)
	first := strings.IndexByte(string(whole), '\n') + 1
	for cut := first; cut < len(whole); cut++ {
		must(t, os.WriteFile(name, whole[:cut], 0o600))
		s := load(t, dir)
		if s.Known("topic.a") == nil || s.Known("topic.b") != nil {
			t.Fatalf("cut at %d: %v", cut, s.Addresses())
		}
	}
	st = open(t, dir) // goes on behind the last whole record
	must(t, st.Put(resource.Known{Address: "topic.c", Kind: "topic"}, nil))
	must(t, st.Close())
	if got := load(t, dir).Addresses(); !cmp.Equal(got, []string{"topic.a", "topic.c"}) {
		t.Errorf("after going on: %v", got)
	}
}

func TestUnreadableStateSaysWhatToDo(t *testing.T) {
	tests := map[string]struct{ file, content, want string }{
		"0 bytes":                 {"state.json", "", "is empty (0 bytes). It is safe to delete it"},
		"no JSON":                 {"state.json", "{", "is damaged"},
		"other JSON":              {"state.json", `{"serial": 1}`, "is damaged"},
		"half a state":            {"state.json", `{"version":1,"objects":[{"kind":"topic"}]}`, "is damaged: an object has no address"},
		"wrong types":             {"state.json", `{"version":1,"objects":3}`, "is damaged: it is not a state of this program. It is safe"},
		"a wrong type inside":     {"state.json", `{"version":1,"objects":[{"address":"a","kind":"b","revision":"x"}]}`, "is damaged: it is not a state of this program. It is safe"},
		"newer":                   {"state.json", `{"version":2}`, "newer version of collect (format 2, this program reads up to 1). Use that version; nothing was changed"},
		"damage inside a journal": {"state.journal", "00000000 {}\n00000000 {}\n", "state.journal is damaged at byte 0. It is safe to delete it"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			must(t, os.WriteFile(filepath.Join(dir, tt.file), []byte(tt.content), 0o600))
			for _, f := range []func(string) error{func(d string) error { _, err := Load(d); return err }, func(d string) error { _, err := Open(d); return err }} {
				if err := f(dir); err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), dir+"/", ""), tt.want) {
					t.Errorf("got %v, want %q", err, tt.want)
				}
			}
			if raw, err := os.ReadFile(filepath.Join(dir, tt.file)); err != nil || string(raw) != tt.content {
				t.Errorf("the file was changed: %q, %v", raw, err)
			}
		})
	}
}

func TestLinksAtOurNamesAreNotFollowed(t *testing.T) {
	for _, name := range []string{"state.json", "state.journal", "lock", "key", "owner.json"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, aim := t.TempDir(), filepath.Join(t.TempDir(), "aim")
			must(t, os.WriteFile(aim, []byte("precious"), 0o600))
			must(t, os.Symlink(aim, filepath.Join(dir, name)))
			if st, err := Open(dir); err == nil {
				_ = st.Finish(Result{}, time.Unix(1, 0))
				st.Close()
			}
			if l, err := Acquire(t.Context(), dir, LockRequest{Exclusive: true}); err == nil {
				must(t, l.Release(false))
			}
			if k, err := TemporaryKey(); err == nil {
				_, _ = KeepKey(dir, k)
			}
			_ = Prepare(dir, Myself("n", true, "/r"), time.Unix(1, 0))
			if raw, err := os.ReadFile(aim); err != nil || string(raw) != "precious" {
				t.Errorf("written through the link: %q, %v", raw, err)
			}
		})
	}
}

// The work of a record does not depend on how many objects there are.
func TestTheJournalGrowsWithWhatChanges(t *testing.T) {
	dir := t.TempDir()
	s := New()
	for i := range 5000 {
		s.put(Object{Known: resource.Known{Address: fmt.Sprintf("agent.a%04d", i), Kind: "agent"}})
	}
	st := &Store{dir: dir, state: s}
	var err error
	st.journal, err = os.Create(filepath.Join(dir, "state.journal"))
	must(t, err)
	must(t, st.Finish(Result{}, time.Unix(1, 0)))
	before, err := os.Stat(filepath.Join(dir, "state.json"))
	must(t, err)
	must(t, st.Put(resource.Known{Address: "agent.a0007", Kind: "agent"}, nil))
	journal, err := os.Stat(filepath.Join(dir, "state.journal"))
	must(t, err)
	after, err := os.Stat(filepath.Join(dir, "state.json"))
	must(t, err)
	if journal.Size() > 300 || !os.SameFile(before, after) {
		t.Errorf("one change wrote %d bytes, and state.json new: %v", journal.Size(), !os.SameFile(before, after))
	}
	must(t, st.Close())
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte("00000000 {}\n"))
	f.Add([]byte(`8d3b3c1c {"remove":"a"}` + "\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "state.journal"), raw, 0o600))
		s, err := Load(dir)
		if err == nil && s.Serial > strings.Count(string(raw), "\n") {
			t.Errorf("%d records in %q", s.Serial, raw)
		}
	})
}
