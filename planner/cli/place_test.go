package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWithoutAPlaceForDataThereIsOneError(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root has a place without HOME")
	}
	r := newRig(t, oneAgent+"\nlocals { x = \"${path.data}/x\" }\n")
	r.env = slices.DeleteFunc(r.env, func(s string) bool { return strings.HasPrefix(s, "HOME=") || strings.HasPrefix(s, "COLLECT_DATA_DIR=") })
	for _, args := range [][]string{{"plan"}, {"status"}, {"output"}} {
		got := r.want(1, "no place for data: set COLLECT_DATA_DIR", args...)
		if strings.Count(got.err, "Error:") != 1 {
			t.Errorf("%s: one cause, one error:\n%s", args, got.err)
		}
	}
}

// Whoever may write into a data directory may plant sockets in it: nothing that looks at it talks to them.
func TestAnUnsafeDataDirectoryIsNotLookedAt(t *testing.T) {
	r := newRig(t, oneAgent)
	if err := os.Mkdir(r.data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(r.data, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"plan"}, {"status"}, {"output"}, {"show"}, {"logs", "agent.a"}, {"state", "list"}} {
		r.want(1, "is writable by other users", args...)
	}
}

func TestAFileIsNoDataDirectory(t *testing.T) {
	r := newRig(t, oneAgent)
	if err := os.WriteFile(r.data, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"plan"}, {"apply", "-auto-approve"}, {"destroy", "-auto-approve"}, {"status"}} {
		got := r.want(1, "is not a directory", args...)
		if strings.Contains(got.err, "main.hcl") {
			t.Errorf("%s: no line of the configuration is wrong:\n%s", args, got.err)
		}
	}
}

func TestADamagedKeyIsNoMistakeOfALine(t *testing.T) {
	r := newRig(t, oneAgent)
	r.want(0, "", "apply", "-auto-approve")
	if err := os.WriteFile(filepath.Join(r.data, "key"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := r.want(1, "It is safe to delete it", "plan")
	if strings.Contains(got.err, "main.hcl") {
		t.Errorf("no line of the configuration is wrong:\n%s", got.err)
	}
}

func TestALinkIsNoDataDirectory(t *testing.T) {
	r := newRig(t, oneAgent)
	if err := os.Symlink(t.TempDir(), r.data); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"plan"}, {"apply", "-auto-approve"}, {"destroy", "-auto-approve"}, {"status"}} {
		r.want(1, "is a link: name the directory itself", args...)
	}
}
