package script

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// jsonlines FILE TYPE...: every line is a message of the UI stream, and each of the types occurs.
func jsonLines(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 || neg {
		ts.Fatalf("usage: jsonlines FILE TYPE...")
	}
	seen := map[string]bool{}
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		m := map[string]any{}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			ts.Fatalf("no JSON object: %s: %v", line, err)
		}
		for _, key := range []string{"@level", "@message", "@module", "@timestamp", "type"} {
			if s, ok := m[key].(string); !ok || s == "" {
				ts.Fatalf("no %s in %s", key, line)
			}
		}
		seen[m["type"].(string)] = true
	}
	for _, want := range args[1:] {
		if !seen[want] {
			ts.Fatalf("no message of type %s", want)
		}
	}
}

// isjson FILE KEY...: the file is one JSON object with these keys.
func isJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 || neg {
		ts.Fatalf("usage: isjson FILE KEY...")
	}
	m := map[string]any{}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &m))
	for _, key := range args[1:] {
		if _, ok := m[key]; !ok {
			ts.Fatalf("no %s in %s", key, args[0])
		}
	}
}

// flip TEXT FILE...: damages one bit at the first TEXT in one of the files.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || neg {
		ts.Fatalf("usage: flip TEXT GLOB")
	}
	paths, err := filepath.Glob(ts.MkAbs(args[1]))
	ts.Check(err)
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		ts.Check(err)
		at := bytes.Index(raw, []byte(args[0]))
		if at < 0 {
			continue
		}
		raw[at] ^= 1
		ts.Check(os.WriteFile(path, raw, 0o600))
		return
	}
	ts.Fatalf("%q stands in none of %d files", args[0], len(paths))
}

// onlysecret TEXT: the text stands in agents/*/secrets, in no other file of the installation, and in no command line.
func onlySecret(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 || neg {
		ts.Fatalf("usage: onlysecret TEXT")
	}
	text, kept := []byte(args[0]), 0
	for _, root := range []string{ts.Getenv("DATA"), ts.Getenv("RUN")} {
		ts.Check(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil // gone meanwhile
			}
			if filepath.Base(filepath.Dir(path)) == "bin" {
				return fs.SkipDir
			}
			raw, err := os.ReadFile(path)
			if err != nil || !bytes.Contains(raw, text) {
				return nil
			}
			if filepath.Base(path) != "secrets" {
				ts.Fatalf("the secret stands in %s", path)
			}
			info, err := d.Info()
			ts.Check(err)
			if info.Mode().Perm() != 0o600 {
				ts.Fatalf("%s has mode %v", path, info.Mode())
			}
			kept++
			return nil
		}))
	}
	if kept == 0 {
		ts.Fatalf("no file holds the secret: the agents cannot know it")
	}
	for _, pid := range processes(ts.Getenv("DATA")) {
		for _, what := range []string{"cmdline", "environ"} {
			raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), what))
			if err == nil && bytes.Contains(raw, text) {
				ts.Fatalf("the secret stands in the %s of process %d", what, pid)
			}
		}
	}
}

// freeport NAME: puts host:port of a port where nobody listens into the variable.
func freePort(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Check(l.Close())
	ts.Setenv(args[0], l.Addr().String())
}

// signal NAME FILE: sends a signal to the process whose id is in the file.
func signal(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL, "STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT}
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[1])))
	ts.Check(err)
	ts.Check(syscall.Kill(pid, signals[args[0]]))
}

// filehas LIMIT TEXT FILE: waits until the file holds the text.
func fileHas(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 || neg {
		ts.Fatalf("usage: filehas LIMIT TEXT FILE")
	}
	var raw []byte
	ok := poll(limit(ts, args[0]), func() bool {
		var err error
		raw, err = os.ReadFile(ts.MkAbs(args[2]))
		return err == nil && bytes.Contains(raw, []byte(args[1]))
	})
	if !ok {
		ts.Fatalf("%s never held %q; at last:\n%s", args[2], args[1], raw)
	}
}

// tmpfs DIR MIB: mounts a small file system, for root only, until the script ends: the program fits in it, and so much more.
func tmpfs(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	more, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	program, err := os.Stat(binary)
	ts.Check(err)
	ts.Check(syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+strconv.FormatInt(program.Size()+more<<20, 10)))
	ts.Defer(func() {
		for _, pid := range processes(ts.Getenv("DATA")) {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
		}
		poll(time.Minute, func() bool { return syscall.Unmount(dir, 0) == nil })
	})
}

// canMount says whether small file systems can be mounted here: root in a container often may not.
func canMount() bool {
	dir, err := os.MkdirTemp("", "mount")
	if err != nil {
		return false
	}
	defer os.RemoveAll(dir)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		return false
	}
	return syscall.Unmount(dir, 0) == nil
}

// grow N FILE: appends lines "line 1" to "line N" to a file, or goes on where such lines end.
func grow(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	path := ts.MkAbs(args[1])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o700))
	had, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		ts.Check(err)
	}
	from := bytes.Count(had, []byte("\n"))
	var more bytes.Buffer
	for i := range n {
		more.WriteString("line " + strconv.Itoa(from+i+1) + "\n")
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	ts.Check(err)
	_, err = f.Write(more.Bytes())
	ts.Check(errors.Join(err, f.Close()))
}

// copydir SRC DST: copies a directory with what is in it.
func copyDir(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.CopyFS(ts.MkAbs(args[1]), os.DirFS(ts.MkAbs(args[0]))))
}

// subst FILE OLD NEW: replaces a text that must be there; \n in the new one begins a line.
func subst(ts *testscript.TestScript, _ bool, args []string) {
	path, text := ts.MkAbs(args[0]), ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(path, []byte(strings.Replace(text, args[1], strings.ReplaceAll(args[2], `\n`, "\n"), 1)), 0o600))
}

// held says whether some process holds a lock.
func held(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil
}

// leftovers lists sockets, locks and temporary files below some directories.
func leftovers(roots ...string) []string {
	var left []string
	for _, root := range roots {
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			base := filepath.Base(path)
			if err == nil && (d.Type()&fs.ModeSocket != 0 || strings.HasSuffix(base, ".sock") || !d.IsDir() && (base == "lock" || strings.HasSuffix(base, ".lock"))) {
				left = append(left, path)
			}
			return nil // what vanishes meanwhile is not left
		})
	}
	slices.Sort(left)
	return left
}
