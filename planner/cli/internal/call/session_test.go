package call

import (
	"os"
	"path/filepath"
	"testing"

	"collect/planner/state"
)

func TestAKeyWithoutAnInstallationIsNotUsed(t *testing.T) {
	dir := t.TempDir()
	planted, err := state.TemporaryKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := state.KeepKey(dir, planted); err != nil {
		t.Fatal(err)
	}
	for _, applied := range []bool{false, true} {
		if applied {
			if err := os.WriteFile(filepath.Join(dir, "owner.json"), []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := &Session{Call: &Call{}}
		if err := s.findKey(dir); err != nil || s.Key.Equal(planted) != applied {
			t.Errorf("applied %v: the key is used: %v, %v", applied, s.Key.Equal(planted), err)
		}
	}
}
