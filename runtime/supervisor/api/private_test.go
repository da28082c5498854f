package api

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The runtime directory holds the sockets over which agents get their secrets: nobody else may be able to put another in its place,
// neither directly nor by a link on the way to it.
func TestRuntimeDirectoriesThatOthersCouldExchangeAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		above func(t *testing.T, base string) string
		err   string
	}{
		"ours alone":        {func(_ *testing.T, base string) string { return base }, ""},
		"a sticky one":      {func(t *testing.T, base string) string { return dirWith(t, base, 0o777|os.ModeSticky, -1) }, ""},
		"written by others": {func(t *testing.T, base string) string { return dirWith(t, base, 0o777, -1) }, "is writable by other users (mode 0777)"},
		"another user's":    {func(t *testing.T, base string) string { return dirWith(t, base, 0o755, 65534) }, "belongs to user 65534"},
		"a link to what others write": {func(t *testing.T, base string) string {
			name := filepath.Join(base, "link")
			if err := os.Symlink(dirWith(t, base, 0o777, -1), name); err != nil {
				t.Fatal(err)
			}
			return name
		}, "is writable by other users"},
		"another user's directory in a sticky one": {func(t *testing.T, base string) string {
			return dirWith(t, dirWith(t, base, 0o777|os.ModeSticky, -1), 0o700, 65534)
		}, "belongs to user 65534"},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(tt.err, "65534") && os.Getuid() != 0 {
				t.Skip("needs root to make a directory of another user")
			}
			l := Layout{Data: private(t), Run: filepath.Join(tt.above(t, private(t)), "collect", "id")}
			err := l.PrepareRun()
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
			if _, serr := os.Lstat(l.Run); (serr == nil) != (tt.err == "") {
				t.Errorf("the directory: %v", serr)
			}
		})
	}
}

func dirWith(t *testing.T, parent string, mode os.FileMode, owner int) string {
	t.Helper()
	dir := filepath.Join(parent, "d")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, owner, -1), os.Chmod(dir, mode)); err != nil {
		t.Fatal(err)
	}
	return dir
}
