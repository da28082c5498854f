package roll

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"collect/providers/providertest"
)

func TestADirectoryThatSomebodyRemovedIsMadeAgain(t *testing.T) {
	k := newKillTest(t)
	d := providertest.Open(t, newSink(t, k.path, k.env, Options{}), k.env)
	d.Must([]string{"a1"})
	if err := os.RemoveAll(k.root + "/a"); err != nil {
		t.Fatal(err)
	}
	d.Flush()
	if r, _ := d.Result(1); r.Err == nil || !strings.Contains(r.Err.Error(), "removed by somebody else") {
		t.Errorf("%+v", r)
	}
	d.Retry()
	d.Close()
	if final, _ := filepath.Glob(k.root + "/a/all*"); len(final) != 1 {
		t.Errorf("files %v", final)
	}
}

// What somebody else removed is written again with all that shares batches with it. Some of that may be final: then the repetition is told.
func TestTheRepetitionOfWhatIsFinalAlreadyIsTold(t *testing.T) {
	for gone, repeated := range map[string]bool{"a": false, "b": true} {
		k := newKillTest(t)
		s := newSink(t, k.path, k.env, Options{})
		if err := s.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		d := providertest.NewDelivery(t, s, k.env)
		d.Must([]string{"a1", "b1"})
		temps, _ := filepath.Glob(k.root + "/" + gone + "/.*")
		if len(temps) != 1 {
			t.Fatalf("temps %v", temps)
		}
		if err := os.Remove(temps[0]); err != nil {
			t.Fatal(err)
		}
		d.Flush()
		if r, _ := d.Result(1); r.Err == nil || r.Unknown != repeated {
			t.Errorf("without %s: %+v", gone, r)
		}
		d.Retry()
		d.Close()
	}
}

// A path that the configuration has left may be gone for ever. That must not stop the sink, and what can be removed later is.
func TestTempsAtAPlaceOutOfReachWaitForTheNextStart(t *testing.T) {
	k := newKillTest(t)
	old, away := k.root+"/old", k.root+"/away"
	k.path = parse(t, `"`+old+`/${substr(event.body, 0, 1)}/all.txt"`, true)
	k.run(20)
	temps := func(dir string) []string {
		found, _ := filepath.Glob(dir + "/*/.*")
		return found
	}
	if len(temps(old)) == 0 {
		t.Fatal("the kill left no temporary file")
	}
	if err := os.Rename(old, away); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(old, nil, 0o600); err != nil { // a file where the directory was
		t.Fatal(err)
	}
	k.path = parse(t, `"`+k.root+`/new/${substr(event.body, 0, 1)}/all.txt"`, true)
	for range 2 {
		if !k.run(1 << 30) {
			t.Fatal("the sink does not run while the old place is out of reach")
		}
	}
	if err := os.Remove(old); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(away, old); err != nil {
		t.Fatal(err)
	}
	if !k.run(1 << 30) {
		t.Fatal("the sink does not run")
	}
	if left := temps(old); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
