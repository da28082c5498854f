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
