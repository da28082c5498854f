package file

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

func TestGrowingFileKeepsWholeLinesOverACrash(t *testing.T) {
	dir := t.TempDir()
	env := providertest.Env(t)
	path := filepath.Join(dir, "all.log")
	if err := os.WriteFile(path, []byte("theirs, without an end"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := start(t, constant(path), env)
	d.Must([]string{"one", "two"})
	d.Flush()
	d.Close()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("three, whole\nfour, half of a li"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	d = start(t, constant(path), env)
	d.Must([]string{"five"})
	d.Flush()
	d.Close()
	raw, _ := os.ReadFile(path)
	if got, want := string(raw), "theirs, without an end\none\ntwo\nthree, whole\nfive\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestGrowingFileIsMadeAnewWhenSomebodyMovesItAway(t *testing.T) {
	dir := t.TempDir()
	env := providertest.Env(t)
	path := filepath.Join(dir, "all.log")
	d := start(t, constant(path), env)
	d.Must([]string{"one"})
	d.Flush()
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	n := 1
	providertest.Eventually(t, "the file exists again", func() bool {
		d.Must([]string{"more"})
		d.Flush()
		n++
		_, err := os.Stat(path)
		return err == nil
	})
	d.Close()
	if got := providertest.Contents(t, dir); len(got) != n {
		t.Errorf("%d lines of %d are there: %q", len(got), n, got)
	}
}

// Rotation by copying cuts the file while it is open. What comes next begins at its new end, without a hole.
func TestGrowingFileThatSomebodyCutGoesOnAtItsEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "all.log")
	d := start(t, constant(path), providertest.Env(t))
	d.Must([]string{"one", "two"})
	d.Flush()
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	d.Must([]string{"three"})
	d.Flush()
	d.Close()
	raw, err := os.ReadFile(path)
	if err != nil || string(raw) != "three\n" {
		t.Errorf("got %q, %v", raw, err)
	}
}

// syncFails is a file layer whose Sync fails when told to.
type syncFails struct {
	flow.FS
	fail *bool
}

type failingDir struct {
	flow.Dir
	fail *bool
}

type failingFile struct {
	flow.File
	fail *bool
}

func (s syncFails) OpenDir(p string) (flow.Dir, error) {
	d, err := s.FS.OpenDir(p)
	return failingDir{d, s.fail}, err
}

func (d failingDir) OpenWrite(name string, create bool, perm os.FileMode) (flow.File, error) {
	f, err := d.Dir.OpenWrite(name, create, perm)
	return failingFile{f, d.fail}, err
}

func (f failingFile) Sync() error {
	if *f.fail {
		return errors.New("input/output error")
	}
	return f.File.Sync()
}

func TestAFailedSyncIsNeverTakenForASuccess(t *testing.T) {
	dir := t.TempDir()
	env := providertest.Env(t)
	fail := false
	env.FS = syncFails{env.FS, &fail}
	d := start(t, constant(dir+"/all.log"), env)
	d.Must([]string{"one"})
	d.Flush()
	fail = true
	d.Must([]string{"two"})
	d.Flush()
	if r, _ := d.Result(2); r.Err == nil || !r.Unknown {
		t.Errorf("result %+v", r)
	}
	fail = false
	d.Retry()
	d.Close()
	if got := providertest.Contents(t, dir); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("got %q", got)
	}
}

func BenchmarkGrowing(b *testing.B) {
	env := providertest.Env(b)
	env.Pool = flow.NewPool(64 << 20)
	s, err := New(constant(b.TempDir()+"/all.log"), env)
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Open(b.Context()); err != nil {
		b.Fatal(err)
	}
	bodies := slices.Repeat([]string{string(bytes.Repeat([]byte("x"), 174))}, 4096)
	src := providertest.SinkBatch(env.Pool, 1, bodies)
	b.SetBytes(src.Bytes())
	for b.Loop() {
		v := src.Share()
		v.SetDone(func(v *flow.Batch, _ flow.Result) { v.Release() })
		if err := s.Write(b.Context(), v); err != nil {
			b.Fatal(err)
		}
	}
	_ = s.Flush(b.Context())
	b.ReportMetric(float64(4096*b.N)/b.Elapsed().Seconds(), "events/s")
	_ = s.Close(context.Background())
}
