package call

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"

	"collect/hclspec"
	"collect/planner/cli/internal/words"
	"collect/planner/state"
	"collect/runtime/supervisor/api"
)

// Place is where an installation is, for commands that only look at what is there.
type Place struct {
	Name        string // as the data directory says
	own         string // by the configuration here, "" where there is none
	Layout      api.Layout
	Config      *hclspec.Config // nil where the directory has no configuration
	Diagnostics hcl.Diagnostics // of the configuration
}

// Find finds the installation of a command that needs no correct configuration: by COLLECT_DATA_DIR, or by the name in
// the configuration, whatever else is wrong with it.
func (c *Call) Find() (*Place, error) {
	p := &Place{}
	data := ""
	var nowhere error
	cfg, diags := hclspec.Load(hclspec.Options{
		Dir: c.Directory(), Types: c.Deps.Types, Values: c.Vars, Environ: c.Env, Partial: true, Version: c.Deps.Version,
		DataDir: func(name, declared string) (string, error) {
			dir, err := c.DataDir(name, declared)
			p.Name, p.own, data, nowhere = name, name, dir, err
			return dir, err
		},
		Fingerprint: func(string) string { return "" },
	})
	if data == "" && c.Getenv("COLLECT_DATA_DIR") != "" {
		dir, err := c.DataDir("", "")
		if err != nil {
			return nil, err
		}
		data = dir
	}
	if nowhere != nil {
		return nil, Refuse("Data directory cannot be used", "%s", words.Sentence(nowhere.Error()))
	}
	if data == "" {
		return nil, &DiagnosticsError{Diagnostics: diags, Files: cfg.Files}
	}
	p.Config, p.Diagnostics = cfg, diags
	p.Layout = api.NewLayout(data, c.Getenv("XDG_RUNTIME_DIR"))
	own := state.Myself(p.Name, true, cfg.Root)
	if had, fresh, err := state.Check(data, own); err != nil {
		if c.Getenv("COLLECT_DATA_DIR") == "" || had.Name == "" || had.UID != own.UID { // without a name nothing in it is believed
			return nil, Refuse("Data directory cannot be used", "%s", words.Sentence(err.Error()))
		}
		p.Name = had.Name // the directory was named; it says itself whose it is
	} else if !fresh {
		p.Name = had.Name
	}
	return p, nil
}

// Survey describes what runs.
func (c *Call) Survey(ctx context.Context, l api.Layout) (api.Installation, error) {
	if c.Deps.Survey != nil {
		return c.Deps.Survey(ctx, l)
	}
	return api.Survey(ctx, l)
}

// Directory gives the configuration's directory.
func (c *Call) Directory() string {
	if c.Dir == "" {
		return "."
	}
	return c.Dir
}

// DataDir decides where the data of an installation lie.
func (c *Call) DataDir(name, declared string) (string, error) {
	dir := c.Getenv("COLLECT_DATA_DIR")
	base := "."
	switch {
	case dir != "":
	case declared != "":
		dir, base = declared, c.Directory()
	case os.Geteuid() == 0:
		dir = filepath.Join("/var/lib/collect", name)
	case filepath.IsAbs(c.Getenv("XDG_STATE_HOME")): // a relative one means nothing
		dir = filepath.Join(c.Getenv("XDG_STATE_HOME"), "collect", name)
	case c.Getenv("HOME") != "":
		dir = filepath.Join(c.Getenv("HOME"), ".local", "state", "collect", name)
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

// AgentDirs finds the directories of agents by address: the directory's name is not enough, since a moved agent keeps it.
func AgentDirs(l api.Layout) map[string]string {
	out := map[string]string{}
	entries, err := os.ReadDir(l.AgentsDir())
	if err != nil {
		return out // nothing was applied, or it is not ours: both are said by who asks
	}
	for _, e := range entries {
		dir := l.AgentDir(e.Name())
		var meta api.AgentMeta
		if ok, err := api.ReadFile(filepath.Join(dir, "meta.json"), &meta); ok && err == nil {
			out[meta.Address] = dir
		}
	}
	return out
}
