package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hashicorp/hcl/v2"

	"collect/hclspec"
	"collect/planner"
	"collect/planner/resource"
	"collect/planner/state"
	"collect/runtime/supervisor/api"
)

// session is one command's view of an installation.
type session struct {
	*command
	cfg    *hclspec.Config
	layout api.Layout
	key    *state.Key
	own    state.Owner // who we are
	had    state.Owner // who made the data directory
	fresh  bool        // nothing was ever applied
	byName bool        // where the data lie follows from the installation's name
	lock   *state.Lock
}

// directory gives the configuration's directory.
func (c *command) directory() string {
	if c.dir == "" {
		return "."
	}
	return c.dir
}

// load reads the configuration and finds its data directory. Warnings are shown; errors end the command.
func (c *command) load() (*session, error) {
	s := &session{command: c}
	if err := s.evaluate(); err != nil {
		return nil, err
	}
	return s, s.check()
}

// evaluate loads the configuration with the key that the data directory has, or a temporary one.
func (s *session) evaluate() error {
	var nowhere error
	cfg, diags := hclspec.Load(hclspec.Options{
		Dir: s.directory(), Types: s.deps.Types, Values: s.vars.values, Environ: s.env, Version: s.deps.Version,
		DataDir: func(name, declared string) (string, error) {
			dir, err := s.dataDir(name, declared)
			if err != nil {
				nowhere = err
				return "", err
			}
			s.byName = declared == "" && s.getenv("COLLECT_DATA_DIR") == ""
			nowhere = s.findKey(dir)
			return dir, nowhere
		},
		Fingerprint: func(secret string) string { return s.key.Fingerprint(secret) },
	})
	if nowhere != nil { // whatever depends on path.data is only a consequence
		return refuse("Data directory cannot be used", "%s", sentence(nowhere.Error()))
	}
	if diags.HasErrors() {
		return &diagError{diags: diags, files: cfg.Files}
	}
	s.cfg = cfg
	s.diagnostics(diags, cfg.Files)
	s.layout = api.NewLayout(cfg.DataDir, s.getenv("XDG_RUNTIME_DIR"))
	s.own = state.Myself(cfg.Name, cfg.NameDeclared, cfg.Root)
	return nil
}

func (s *session) findKey(dir string) error {
	if s.key != nil {
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
	s.key = key
	return err
}

// check looks whether the data directory may be believed.
func (s *session) check() error {
	had, fresh, err := state.Check(s.cfg.DataDir, s.own)
	if err != nil {
		return refuse("Data directory cannot be used", "%s", sentence(err.Error()))
	}
	s.had, s.fresh = had, fresh
	return nil
}

// dataDir decides where the data of an installation lie.
func (c *command) dataDir(name, declared string) (string, error) {
	dir := c.getenv("COLLECT_DATA_DIR")
	base := "."
	switch {
	case dir != "":
	case declared != "":
		dir, base = declared, c.directory()
	case os.Geteuid() == 0:
		dir = filepath.Join("/var/lib/collect", name)
	case filepath.IsAbs(c.getenv("XDG_STATE_HOME")): // a relative one means nothing
		dir = filepath.Join(c.getenv("XDG_STATE_HOME"), "collect", name)
	case c.getenv("HOME") != "":
		dir = filepath.Join(c.getenv("HOME"), ".local", "state", "collect", name)
	default:
		return "", errors.New("neither COLLECT_DATA_DIR nor HOME is set, so there is no place for data: set COLLECT_DATA_DIR")
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(base, dir)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the data directory: %w", err)
	}
	return abs, nil
}

// prepare makes the data directory with its owner and key. Of two first commands at once one makes the key, and the other
// evaluates its secrets again with it.
func (s *session) prepare() error {
	if err := state.Prepare(s.cfg.DataDir, s.own, s.now()); err != nil {
		return refuse("Data directory cannot be used", "%s", sentence(err.Error()))
	}
	key, err := state.KeepKey(s.cfg.DataDir, s.key)
	if err != nil {
		return err
	}
	if !key.Equal(s.key) {
		s.key = key
		return s.evaluate()
	}
	return nil
}

// locked takes the installation's lock. A shared lock of an installation that does not exist is nothing.
func (s *session) locked(ctx context.Context, exclusive bool, timeout time.Duration, what string) error {
	lock, err := state.Acquire(ctx, s.layout.Data, state.LockRequest{
		Exclusive: exclusive, Timeout: timeout,
		Holder:  state.Holder{PID: os.Getpid(), User: s.own.User, Command: "collect " + what, Since: s.now().UTC().Truncate(time.Second)},
		Waiting: func(*state.Holder) { fmt.Fprintln(s.err, "Waiting for another collect command to end ...") },
	})
	var held *state.LockedError
	if errors.As(err, &held) {
		return refuse("Installation is locked", "%s", sentence(err.Error()))
	}
	s.lock = lock
	return err
}

// unlock gives the lock up; remove takes its file away too.
func (s *session) unlock(remove bool) {
	if err := s.lock.Release(remove); err != nil { // the kernel gives it up at the end anyway
		fmt.Fprintf(s.err, "lock: %v\n", err)
	}
	s.lock = nil
}

func (s *session) installation() planner.Installation {
	return planner.Installation{
		Name: s.cfg.Name, NameDeclared: s.cfg.NameDeclared, Root: s.cfg.Root, DataDir: s.layout.Data, Machine: state.Machine(),
		Commit: state.Commit(s.cfg.Root), Fresh: s.fresh,
	}
}

// kinds makes the kinds of resources of the installation.
func (c *command) kinds(name string, layout api.Layout, wait time.Duration) ([]resource.Kind, error) {
	program, err := c.executable()
	if err != nil {
		return nil, err
	}
	return c.deps.Kinds(KindEnv{
		Installation: name, Layout: layout, Types: c.deps.Types, Version: c.deps.Version, Executable: program, Wait: wait,
		Log: c.logger(c.err, slog.LevelWarn),
	}), nil
}

func (c *command) logger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// place is where an installation is, for commands that only look at what is there.
type place struct {
	name   string
	own    string // name by the configuration here, "" where there is none
	layout api.Layout
	cfg    *hclspec.Config // nil where the directory has no configuration
	diags  hcl.Diagnostics // of the configuration
}

// find finds the installation of a command that needs no correct configuration: by COLLECT_DATA_DIR, or by the name in
// the configuration, whatever else is wrong with it.
func (c *command) find() (*place, error) {
	p := &place{}
	data := ""
	var nowhere error
	cfg, diags := hclspec.Load(hclspec.Options{
		Dir: c.directory(), Types: c.deps.Types, Values: c.vars.values, Environ: c.env, Partial: true, Version: c.deps.Version,
		DataDir: func(name, declared string) (string, error) {
			dir, err := c.dataDir(name, declared)
			p.name, p.own, data, nowhere = name, name, dir, err
			return dir, err
		},
		Fingerprint: func(string) string { return "" },
	})
	if data == "" && c.getenv("COLLECT_DATA_DIR") != "" {
		dir, err := c.dataDir("", "")
		if err != nil {
			return nil, err
		}
		data = dir
	}
	if nowhere != nil {
		return nil, refuse("Data directory cannot be used", "%s", sentence(nowhere.Error()))
	}
	if data == "" {
		return nil, &diagError{diags: diags, files: cfg.Files}
	}
	p.cfg, p.diags = cfg, diags
	p.layout = api.NewLayout(data, c.getenv("XDG_RUNTIME_DIR"))
	own := state.Myself(p.name, true, cfg.Root)
	if had, fresh, err := state.Check(data, own); err != nil {
		if c.getenv("COLLECT_DATA_DIR") == "" || had.Name == "" || had.UID != own.UID { // without a name nothing in it is believed
			return nil, refuse("Data directory cannot be used", "%s", sentence(err.Error()))
		}
		p.name = had.Name // the directory was named; it says itself whose it is
	} else if !fresh {
		p.name = had.Name
	}
	return p, nil
}

// survey describes what runs.
func (c *command) survey(ctx context.Context, l api.Layout) (api.Installation, error) {
	if c.deps.Survey != nil {
		return c.deps.Survey(ctx, l)
	}
	return api.Survey(ctx, l)
}
