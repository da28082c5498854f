// Package machine is what a configuration reads of the machine that it is planned on: files and the environment, by functions of the
// language and by arguments that name a file. It remembers what lies outside of the configuration's directory.
package machine

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"collect/hclspec/internal/bounded"
	"collect/hclspec/internal/syntax"
)

// Machine is one machine as one configuration sees it.
type Machine struct {
	Root       string            // the configuration's directory
	Environ    map[string]string // by name
	Incomplete bool              // with partial: something is not there

	partial   bool // what is not there is not known, instead of an error
	meter     *bounded.Meter
	outside   map[string]bool
	templates map[string]template
}

// New takes the environment as NAME=value. Its Root is set before anything is read.
func New(environ []string, partial bool, meter *bounded.Meter) *Machine {
	return &Machine{Environ: environment(environ), partial: partial, meter: meter, outside: map[string]bool{}, templates: map[string]template{}}
}

// environment turns NAME=value into a map.
func environment(list []string) map[string]string {
	m := make(map[string]string, len(list))
	for _, s := range list {
		if k, v, ok := strings.Cut(s, "="); ok {
			m[k] = v
		}
	}
	return m
}

// Outside gives the files that were read outside of the configuration's directory, sorted.
func (m *Machine) Outside() []string { return slices.Sorted(maps.Keys(m.outside)) }

// Resolve makes a file name absolute: it is meant from the configuration's directory, wherever an agent runs.
func (m *Machine) Resolve(s string) string {
	if s == "" || strings.Contains(s, "://") || filepath.IsAbs(s) {
		return s
	}
	return filepath.Join(m.Root, s)
}

// Read reads a file within the limits of a file of the configuration.
func (m *Machine) Read(name string) ([]byte, error) {
	return syntax.Read(m.reads(name))
}

// reads notes a file that is read outside of the configuration's directory, and gives its absolute name.
func (m *Machine) reads(name string) string {
	path := filepath.Clean(m.Resolve(name))
	m.Note(path)
	return path
}

// Note notes a file when it, or what it links to, lies outside of the configuration's directory.
func (m *Machine) Note(path string) {
	real := path
	if r, err := filepath.EvalSymlinks(path); err == nil {
		real = r
	}
	if rel, err := filepath.Rel(m.Root, real); err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		m.outside[path] = true
	}
}
