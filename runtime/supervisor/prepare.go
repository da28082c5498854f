package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"collect/hclspec/schema"
	"collect/runtime/supervisor/api"
	"collect/runtime/supervisor/internal/process"
)

// PrepareAgent writes the files of an agent that does not run, so that a process can be it. One that was destroyed and is declared again
// gets its positions back.
func PrepareAgent(l api.Layout, meta api.AgentMeta, spec schema.AgentSpec, secrets schema.Secrets) error {
	dir := l.AgentDir(meta.ID)
	h, held, err := api.Probe(filepath.Join(dir, "lock"))
	if err != nil {
		return err
	}
	if held {
		return fmt.Errorf("it runs already as process %d. What apply started is ended by destroy, what run started by an interrupt", h.PID)
	}
	if err := prepareDir(l, meta); err != nil {
		return err
	}
	return begins(dir, spec, secrets)
}

// begins writes what an agent shall be whose process will start. What an attempt to drain it left is the new process's matter.
func begins(dir string, spec schema.AgentSpec, secrets schema.Secrets) error {
	if err := writeSpec(dir, spec, secrets); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, api.LeftFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// prepareDir makes the directory of an agent. An agent that was destroyed and is declared again gets its positions back.
func prepareDir(l api.Layout, meta api.AgentMeta) error {
	dir := l.AgentDir(meta.ID)
	for _, d := range []string{l.AgentsDir(), dir} {
		if err := api.PrivateDir(d); err != nil {
			return fmt.Errorf("directory of %s: %w", meta.Address, err)
		}
	}
	if err := restoreKept(l, meta.ID); err != nil {
		return fmt.Errorf("kept positions of %s: %w", meta.Address, err)
	}
	path := filepath.Join(dir, "meta.json")
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	if meta.Created.IsZero() {
		meta.Created = time.Now().UTC()
	}
	return writeJSON(path, meta)
}

// agentEnv gives the whole environment of an agent: a few of our own variables, and what its env argument says.
func agentEnv(dir string) ([]string, error) {
	set, _, err := readSettings(dir)
	if err != nil {
		return nil, err
	}
	env := process.Env()
	for _, name := range slices.Sorted(maps.Keys(set.Env)) {
		env = append(env, name+"="+set.Env[name]) // of several, the last counts
	}
	return env, nil
}

func readSettings(dir string) (schema.AgentSettings, schema.AgentSpec, error) {
	set := schema.DefaultAgentSettings()
	var spec schema.AgentSpec
	secrets := schema.Secrets{}
	if err := readJSON(filepath.Join(dir, "spec.json"), &spec); err != nil {
		return set, spec, err
	}
	if err := readJSON(filepath.Join(dir, "secrets"), &secrets); err != nil && !errors.Is(err, os.ErrNotExist) {
		return set, spec, err
	}
	if err := schema.Decode(spec.Settings, secrets, &set); err != nil {
		return set, spec, fmt.Errorf("settings of %s: %w", spec.Address, err)
	}
	return set, spec, nil
}

func writeSpec(dir string, spec schema.AgentSpec, secrets schema.Secrets) error {
	if err := writeSecrets(dir, secrets); err != nil {
		return err
	}
	return writeJSON(filepath.Join(dir, "spec.json"), spec)
}

func writeSecrets(dir string, secrets schema.Secrets) error {
	path := filepath.Join(dir, "secrets")
	if len(secrets) > 0 {
		return writeJSON(path, secrets)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove secrets: %w", err)
	}
	return nil
}

func writeJSON(path string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return api.WriteFile(path, append(raw, '\n'))
}

func readJSON(path string, into any) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s is damaged: it is not what collect wrote", path)
	}
	return nil
}
