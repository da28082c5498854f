package state

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain lets the test binary be another process that holds a lock.
func TestMain(m *testing.M) {
	if dir := os.Getenv("HOLD_LOCK_OF"); dir != "" {
		_, err := Acquire(context.Background(), dir, LockRequest{Exclusive: os.Getenv("HOLD_SHARED") == "", Holder: Holder{
			PID: os.Getpid(), User: "ann", Command: "collect apply", Since: time.Unix(1, 0),
		}})
		if err != nil {
			os.Stdout.WriteString(err.Error())
		}
		os.Stdout.WriteString("\n")
		_, _ = os.Stdin.Read(make([]byte, 1)) // until told to end
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// holder starts another process that holds the lock.
func holder(t *testing.T, dir string, shared bool) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "HOLD_LOCK_OF="+dir)
	if shared {
		cmd.Env = append(cmd.Env, "HOLD_SHARED=1")
	}
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "\n" {
		t.Fatalf("holder: %q, %v", line, err)
	}
	return cmd
}

func TestASecondApplyIsToldWhoHoldsTheLock(t *testing.T) {
	dir := t.TempDir()
	cmd := holder(t, dir, false)
	for _, exclusive := range []bool{true, false} {
		_, err := Acquire(t.Context(), dir, LockRequest{Exclusive: exclusive})
		var locked *LockedError
		if !errors.As(err, &locked) || locked.Holder.PID != cmd.Process.Pid {
			t.Fatalf("exclusive %v: %v", exclusive, err)
		}
		for _, want := range []string{"collect apply", "user ann", "since ", "-lock-timeout"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not say %q", err, want)
			}
		}
	}
	begin := time.Now()
	_, err := Acquire(t.Context(), dir, LockRequest{Exclusive: true, Timeout: 150 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "Waited 150ms") || time.Since(begin) < 150*time.Millisecond {
		t.Errorf("after %s: %v", time.Since(begin), err)
	}
	must(t, cmd.Process.Signal(syscall.SIGKILL)) // the kernel gives the lock back
	l, err := Acquire(t.Context(), dir, LockRequest{Exclusive: true, Timeout: time.Minute})
	must(t, err)
	must(t, l.Release(true))
	if _, err := os.Stat(filepath.Join(dir, "lock")); !os.IsNotExist(err) {
		t.Errorf("the lock file is left: %v", err)
	}
}

func TestPlansShareTheLockAndMakeNoFile(t *testing.T) {
	dir := t.TempDir()
	l, err := Acquire(t.Context(), dir, LockRequest{})
	if l != nil || err != nil {
		t.Fatalf("where nothing was locked: %v, %v", l, err)
	}
	must(t, l.Release(false))
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("a reader made %v, %v", entries, err)
	}
	must(t, os.WriteFile(filepath.Join(dir, "lock"), nil, 0o600))
	holder(t, dir, true)
	l, err = Acquire(t.Context(), dir, LockRequest{})
	must(t, err)
	must(t, l.Release(false))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	waits := false
	if _, err := Acquire(ctx, dir, LockRequest{Exclusive: true, Waiting: func(*Holder) { waits = true; cancel() }}); err == nil || !waits {
		t.Errorf("an apply waits a while for a reader: %v, got %v", waits, err)
	}
}

func TestALockOnARemovedFileIsNoLock(t *testing.T) {
	dir := t.TempDir()
	first, err := Acquire(t.Context(), dir, LockRequest{Exclusive: true})
	must(t, err)
	must(t, os.Remove(filepath.Join(dir, "lock")))
	second, err := Acquire(t.Context(), dir, LockRequest{Exclusive: true})
	must(t, err)
	if same(first.file, second.file.Name()) || !same(second.file, second.file.Name()) {
		t.Error("the second lock is not the one with the name")
	}
	must(t, first.Release(false))
	must(t, second.Release(false))
}

func TestForeignDataDirectoriesAreRefused(t *testing.T) {
	base := t.TempDir()
	me := Myself("cars", false, "/conf/cars")
	made := func(t *testing.T) string {
		dir := filepath.Join(t.TempDir(), "data")
		must(t, Prepare(dir, me, time.Unix(1, 0)))
		return dir
	}
	tests := map[string]struct {
		dir  func(t *testing.T) string
		want func(o Owner) Owner
		err  string
	}{
		"the same":                           {dir: made},
		"another user":                       {dir: made, want: func(o Owner) Owner { o.UID += 5; return o }, err: "is owned by"},
		"another name":                       {dir: made, want: func(o Owner) Owner { o.Name = "trucks"; return o }, err: `belongs to the installation "cars", not to "trucks"`},
		"another root under a default name":  {dir: made, want: func(o Owner) Owner { o.Root = "/conf/other"; return o }, err: `declare it: collect { name = "cars" }`},
		"another root under a declared name": {dir: made, want: func(o Owner) Owner { o.Root = "/conf/other"; o.NameDeclared = true; return o }},
		"another machine":                    {dir: made, want: func(o Owner) Owner { o.Machine = "m2"; return o }, err: "on another machine"},
		"a file": {dir: func(t *testing.T) string {
			f := filepath.Join(base, "file")
			must(t, os.WriteFile(f, nil, 0o600))
			return f
		}, err: "is not a directory"},
		"below a file":                {dir: func(*testing.T) string { return filepath.Join(base, "file2", "x") }},
		"writable by others":          {dir: func(t *testing.T) string { return mode(t, filepath.Join(base, "open"), 0o777) }, err: "is writable by other users (mode 0777): run chmod 700"},
		"below what others may write": {dir: func(t *testing.T) string { return filepath.Join(mode(t, filepath.Join(base, "open2"), 0o777), "data") }, err: "open2 is writable by other users"},
		"below a sticky directory": {dir: func(t *testing.T) string {
			return filepath.Join(mode(t, filepath.Join(base, "sticky"), 0o777|os.ModeSticky), "data")
		}},
		"a link to an installation": {dir: func(t *testing.T) string { return link(t, t.TempDir(), made(t)) }, err: "is a link: name the directory itself"},
		"a link to nothing":         {dir: func(t *testing.T) string { return link(t, t.TempDir(), "/nonexistent/x") }, err: "is a link"},
		"below a link":              {dir: func(t *testing.T) string { return filepath.Join(link(t, t.TempDir(), t.TempDir()), "data") }},
		"through a link to what others write": {dir: func(t *testing.T) string {
			return filepath.Join(link(t, base, mode(t, filepath.Join(base, "open3"), 0o777)), "data")
		}, err: "link is writable by other users"},
		"a relative path":   {dir: func(*testing.T) string { return "data" }, err: "is not an absolute path"},
		"nothing there yet": {dir: func(*testing.T) string { return filepath.Join(base, "new", "data") }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			want := me
			dir := tt.dir(t)
			if tt.want != nil {
				want = tt.want(me)
			}
			_, _, err := Check(dir, want)
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(base, "new")); !os.IsNotExist(err) {
		t.Errorf("checking made a directory: %v", err)
	}
}

func TestOtherUsersDirectory(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to make a directory of another user")
	}
	dir := filepath.Join(t.TempDir(), "data")
	must(t, os.Mkdir(dir, 0o700))
	must(t, os.Chown(dir, 65534, 65534))
	if _, _, err := Check(dir, Myself("cars", true, "/r")); err == nil || !strings.Contains(err.Error(), "is owned by nobody (uid 65534): run as nobody, or with sudo -u nobody") {
		t.Errorf("got %v", err)
	}
}

// A slip in data_dir neither closes somebody's directory to others nor writes into it.
func TestADirectoryOfOthersIsNotMadeAnInstallation(t *testing.T) {
	me := Myself("cars", true, "/conf/cars")
	for name, tt := range map[string]struct {
		has     []string
		refused bool
	}{
		"an empty directory":           {},
		"a new file system":            {has: []string{"lost+found"}},
		"an earlier life":              {has: []string{"work", "kept", "key", ".tmp-123"}},
		"with something of the user's": {has: []string{"owner.json", "notes.txt"}},
		"a home directory":             {has: []string{".bashrc", "work"}, refused: true},
		"a system directory":           {has: []string{"passwd"}, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := mode(t, filepath.Join(t.TempDir(), "d"), 0o755)
			for _, n := range tt.has {
				if n == "owner.json" {
					must(t, Prepare(dir, me, time.Unix(1, 0)))
					must(t, os.Chmod(dir, 0o755))
					continue
				}
				must(t, os.WriteFile(filepath.Join(dir, n), nil, 0o600))
			}
			err := Prepare(dir, me, time.Unix(1, 0))
			if (err != nil) != tt.refused {
				t.Errorf("got %v", err)
			}
			info, serr := os.Stat(dir)
			must(t, serr)
			_, oerr := os.Stat(filepath.Join(dir, "owner.json"))
			if touched := info.Mode().Perm() == 0o700 || oerr == nil; touched == tt.refused {
				t.Errorf("mode %v, owner.json %v", info.Mode(), oerr)
			}
		})
	}
}

func mode(t *testing.T, dir string, m os.FileMode) string {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o700))
	must(t, os.Chmod(dir, m))
	return dir
}

func link(t *testing.T, base, aim string) string {
	t.Helper()
	name := filepath.Join(base, "link")
	must(t, os.Symlink(aim, name))
	return name
}

func TestKeysAreMadeOnce(t *testing.T) {
	dir := t.TempDir()
	a, err := TemporaryKey()
	must(t, err)
	b, err := TemporaryKey()
	must(t, err)
	first, err := KeepKey(dir, a)
	must(t, err)
	second, err := KeepKey(dir, b)
	must(t, err)
	if !first.Equal(a) || !second.Equal(a) || a.Equal(b) {
		t.Error("the second key replaced the first")
	}
	if a.Fingerprint("x") == b.Fingerprint("x") || a.Fingerprint("x") == a.Fingerprint("y") || a.Fingerprint("x") != first.Fingerprint("x") {
		t.Error("fingerprints do not depend on key and secret alone")
	}
	sealed, err := a.Seal([]byte("hunter2"))
	must(t, err)
	if plain, err := first.Unseal(sealed); err != nil || string(plain) != "hunter2" {
		t.Errorf("unsealed %q, %v", plain, err)
	}
	if _, err := b.Unseal(sealed); err == nil {
		t.Error("another key opens the seal")
	}
	must(t, os.WriteFile(filepath.Join(dir, "key"), []byte("xyz"), 0o600))
	if _, err := LoadKey(dir); err == nil || !strings.Contains(err.Error(), "safe to delete") {
		t.Errorf("damaged key: %v", err)
	}
}

func TestCommitOfAConfiguration(t *testing.T) {
	const id = "3f2a91c0000000000000000000000000000000ab"
	write := func(t *testing.T, root string, files map[string]string) {
		for name, content := range files {
			name = filepath.Join(root, name)
			must(t, os.MkdirAll(filepath.Dir(name), 0o700))
			must(t, os.WriteFile(name, []byte(content), 0o600))
		}
	}
	tests := map[string]map[string]string{
		"a branch":        {".git/HEAD": "ref: refs/heads/main\n", ".git/refs/heads/main": id + "\n"},
		"a packed branch": {".git/HEAD": "ref: refs/heads/main\n", ".git/packed-refs": "# pack-refs\n" + id + " refs/heads/main\n"},
		"detached":        {".git/HEAD": id + "\n"},
		"a worktree":      {".git": "gitdir: there/w\n", "there/w/HEAD": "ref: refs/heads/w\n", "there/w/commondir": "..\n", "there/refs/heads/w": id + "\n"},
	}
	for name, files := range tests {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			write(t, root, files)
			must(t, os.MkdirAll(filepath.Join(root, "conf"), 0o700))
			if got := Commit(filepath.Join(root, "conf")); got != id {
				t.Errorf("got %q", got)
			}
		})
	}
	root := t.TempDir()
	write(t, root, map[string]string{".git/HEAD": "ref: ../../../../secret\n"})
	if got := Commit(root); got != "" {
		t.Errorf("a ref outside: %q", got)
	}
}
