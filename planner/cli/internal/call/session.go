package call

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"collect/hclspec"
	"collect/planner"
	"collect/planner/cli/internal/words"
	"collect/planner/state"
	"collect/runtime/supervisor/api"
)

// Session is one command's view of an installation.
type Session struct {
	*Call
	Config *hclspec.Config // of a saved plan only its name and place
	Layout api.Layout
	Key    *state.Key
	Own    state.Owner // who we are
	Fresh  bool        // nothing was ever applied
	ByName bool        // where the data lie follows from the installation's name
	lock   *state.Lock
}

// Load reads the configuration and finds its data directory. Warnings are shown; errors end the command.
func (c *Call) Load() (*Session, error) {
	s := &Session{Call: c}
	if err := s.evaluate(); err != nil {
		return nil, err
	}
	return s, s.check()
}

// evaluate loads the configuration with the key that the data directory has, or a temporary one.
func (s *Session) evaluate() error {
	var nowhere error
	cfg, diags := hclspec.Load(hclspec.Options{
		Dir: s.Directory(), Types: s.Deps.Types, Values: s.Vars, Environ: s.Env, Version: s.Deps.Version,
		DataDir: func(name, declared string) (string, error) {
			dir, err := s.DataDir(name, declared)
			if err != nil {
				nowhere = err
				return "", err
			}
			s.ByName = declared == "" && s.Getenv("COLLECT_DATA_DIR") == ""
			nowhere = s.findKey(dir)
			return dir, nowhere
		},
		Fingerprint: func(secret string) string { return s.Key.Fingerprint(secret) },
	})
	if nowhere != nil { // whatever depends on path.data is only a consequence
		return Refuse("Data directory cannot be used", "%s", words.Sentence(nowhere.Error()))
	}
	if diags.HasErrors() {
		return &DiagnosticsError{Diagnostics: diags, Files: cfg.Files}
	}
	s.Config = cfg
	s.Diagnostics(diags, cfg.Files)
	s.Layout = api.NewLayout(cfg.DataDir, s.Getenv("XDG_RUNTIME_DIR"))
	s.Own = state.Myself(cfg.Name, cfg.NameDeclared, cfg.Root)
	return nil
}

func (s *Session) findKey(dir string) error {
	if s.Key != nil {
		return nil
	}
	key, err := state.LoadKey(dir)
	if _, serr := os.Lstat(filepath.Join(dir, "owner.json")); err == nil && errors.Is(serr, fs.ErrNotExist) {
		// Nothing was applied here. A key that came with a checkout is known to others, who could guess secrets by their fingerprints.
		key, err = state.TemporaryKey()
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG) {
		// what is wrong with the directory will be said by the check
		key, err = state.TemporaryKey()
	}
	s.Key = key
	return err
}

// check looks whether the data directory may be believed.
func (s *Session) check() error {
	_, fresh, err := state.Check(s.Config.DataDir, s.Own)
	if err != nil {
		return Refuse("Data directory cannot be used", "%s", words.Sentence(err.Error()))
	}
	s.Fresh = fresh
	return nil
}

// Prepare makes the data directory with its owner and key. Of two first commands at once one makes the key, and the other
// evaluates its secrets again with it.
func (s *Session) Prepare() error {
	if err := state.Prepare(s.Config.DataDir, s.Own, s.Now()); err != nil {
		return Refuse("Data directory cannot be used", "%s", words.Sentence(err.Error()))
	}
	key, err := state.KeepKey(s.Config.DataDir, s.Key)
	if err != nil {
		return err
	}
	if !key.Equal(s.Key) {
		s.Key = key
		return s.evaluate()
	}
	return nil
}

// locked takes the installation's lock. A shared lock of an installation that does not exist is nothing.
func (s *Session) Lock(ctx context.Context, exclusive bool, timeout time.Duration, what string) error {
	lock, err := state.Acquire(ctx, s.Layout.Data, state.LockRequest{
		Exclusive: exclusive, Timeout: timeout,
		Holder:  state.Holder{PID: os.Getpid(), User: s.Own.User, Command: "collect " + what, Since: s.Now().UTC().Truncate(time.Second)},
		Waiting: func(*state.Holder) { fmt.Fprintln(s.Err, "Waiting for another collect command to end ...") },
	})
	var held *state.LockedError
	if errors.As(err, &held) {
		return Refuse("Installation is locked", "%s", words.Sentence(err.Error()))
	}
	s.lock = lock
	return err
}

// Unlock gives the lock up; remove takes its file away too.
func (s *Session) Unlock(remove bool) {
	if err := s.lock.Release(remove); err != nil { // the kernel gives it up at the end anyway
		fmt.Fprintf(s.Err, "lock: %v\n", err)
	}
	s.lock = nil
}

// Installation says for which installation plans are made here: what a saved plan must fit.
func (s *Session) Installation() planner.Installation {
	return planner.Installation{
		Name: s.Config.Name, NameDeclared: s.Config.NameDeclared, Root: s.Config.Root, DataDir: s.Layout.Data, Machine: state.Machine(),
		Commit: state.Commit(s.Config.Root), Fresh: s.Fresh,
	}
}

// SessionOf makes the session of a saved plan. The plan holds its own copy of the configuration; the files here only say
// which installation this is, where there are any.
func (c *Call) SessionOf(file *planner.PlanFile) (*Session, error) {
	s := &Session{Call: c}
	was := file.Plan.Installation
	here := planner.Installation{Name: was.Name, NameDeclared: was.NameDeclared, Root: was.Root, DataDir: was.DataDir, Machine: state.Machine()}
	if p, err := c.Find(); err == nil {
		here.DataDir = p.Layout.Data
		if p.own != "" {
			here.Name = p.own
		}
	} else if dir := c.Getenv("COLLECT_DATA_DIR"); dir != "" {
		return nil, err
	}
	if err := file.Fits(here); err != nil {
		return nil, Refuse("Plan cannot be applied", "%s", words.Sentence(err.Error()))
	}
	s.Config = &hclspec.Config{Name: here.Name, NameDeclared: here.NameDeclared, Root: here.Root, DataDir: here.DataDir}
	s.Layout = api.NewLayout(here.DataDir, c.Getenv("XDG_RUNTIME_DIR"))
	s.Own = state.Myself(here.Name, here.NameDeclared, here.Root)
	if err := s.check(); err != nil {
		return nil, err
	}
	key, err := state.LoadKey(here.DataDir)
	if errors.Is(err, fs.ErrNotExist) { // then no plan was ever made here: it is shown as another installation's, or damaged
		key, err = state.TemporaryKey()
	}
	s.Key = key
	return s, err
}
