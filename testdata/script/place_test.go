package script

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// place is an installation of its own, whose processes end with the test.
type place struct {
	dir, data, run string
	env            []string
}

func newPlace(t *testing.T, main string) *place {
	t.Helper()
	run, err := os.MkdirTemp("", "cs")
	if err != nil {
		t.Fatal(err)
	}
	p := &place{dir: t.TempDir(), run: run}
	p.data = filepath.Join(p.dir, "data")
	p.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "COLLECT_DATA_DIR=" + p.data, "XDG_RUNTIME_DIR=" + run}
	t.Cleanup(func() {
		if !endAll(p.data) {
			t.Error("processes cannot be ended")
		}
		_ = os.RemoveAll(run)
	})
	p.write(t, "conf/main.hcl", main)
	return p
}

func (p *place) write(t *testing.T, name, text string) {
	t.Helper()
	full := filepath.Join(p.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o700), os.WriteFile(full, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func (p *place) command(args ...string) *exec.Cmd {
	cmd := exec.Command(binary, append([]string{"-chdir=" + filepath.Join(p.dir, "conf")}, args...)...)
	cmd.Env = p.env
	return cmd
}

// try runs a command and gives what it printed.
func (p *place) try(args ...string) (string, error) {
	out, err := p.command(args...).CombinedOutput()
	return string(out), err
}

func (p *place) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := p.try(args...)
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

// withUmask starts a command under another umask; threads of a process share it, so a shell sets it.
func (p *place) withUmask(umask string, args ...string) *exec.Cmd {
	cmd := exec.Command("sh", append([]string{"-c", "umask " + umask + "; exec \"$@\"", "sh", binary, "-chdir=" + filepath.Join(p.dir, "conf")}, args...)...)
	cmd.Env = p.env
	return cmd
}
