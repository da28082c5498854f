package spooldir

import (
	"os"
	"path/filepath"
	"testing"

	"collect/providers/internal/watched"
	"collect/providers/providertest"
)

func TestAFileThatWasAwayOnceIsRememberedAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := providertest.Env(t)
	cfg := config(dir)
	cfg.Done = "track"
	text, bodies := numbered(0, 10)
	put(t, dir, "a", text)
	note := func() *watched.Note {
		t.Helper()
		pos := env.Positions.(*providertest.Positions)
		keys := pos.Keys()
		if len(keys) != 1 {
			t.Fatalf("positions of %v are kept", keys)
		}
		_, raw, _ := pos.Frontier(keys[0])
		n, err := watched.DecodeNote(raw)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		_, r := follow(t, cfg, env)
		providertest.Until(t, what, ok)
		r.Stop()
		env = again(env)
	}
	out, r := follow(t, cfg, env)
	out.Wait(10)
	providertest.Until(t, "it is done", func() bool { return note().State == stateDone })
	r.Stop()
	equal(t, bodies, out.Bodies())
	env = again(env)

	if err := os.Rename(filepath.Join(dir, "a"), filepath.Join(dir, ".away")); err != nil {
		t.Fatal(err)
	}
	until("it is missed", func() bool { return note().Gone > 0 })
	if err := os.Rename(filepath.Join(dir, ".away"), filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	until("it is not missed any more", func() bool { return note().Gone == 0 })
}
