package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"time"

	"collect/planner/resource"
)

// Version of state.json.
const Version = 1

// State is what is remembered of an installation.
type State struct {
	Version  int       `json:"version"`
	Serial   int       `json:"serial"`   // grows with every change
	Revision int       `json:"revision"` // of the last apply that changed something
	Commit   string    `json:"commit,omitempty"`
	Root     string    `json:"root,omitempty"` // configuration's directory of the last apply
	Program  string    `json:"program,omitempty"`
	Applied  time.Time `json:"applied,omitzero"`
	Objects  []Object  `json:"objects"` // sorted by address
	Outputs  []Output  `json:"outputs,omitempty"`

	byAddress map[string]int
}

// Object is what is remembered of one object.
type Object struct {
	resource.Known
	DependsOn []string `json:"depends_on,omitempty"` // what it referred to when it was applied
}

// Output is an output value of the last apply.
type Output struct {
	Name        string `json:"name"`
	Value       any    `json:"value,omitempty"` // nil when sensitive
	Type        any    `json:"type,omitempty"`
	Sensitive   bool   `json:"sensitive,omitempty"`
	Description string `json:"description,omitempty"`
}

// New gives the state of an installation where nothing was ever applied.
func New() *State { return &State{Version: Version, byAddress: map[string]int{}} }

// Known finds what is remembered of an address.
func (s *State) Known(address string) *resource.Known {
	if i, ok := s.index()[address]; ok {
		return &s.Objects[i].Known
	}
	return nil
}

// DependsOn gives what an object referred to when it was applied.
func (s *State) DependsOn(address string) []string {
	if i, ok := s.index()[address]; ok {
		return s.Objects[i].DependsOn
	}
	return nil
}

// Addresses lists what is remembered, sorted.
func (s *State) Addresses() []string {
	all := make([]string, len(s.Objects))
	for i, o := range s.Objects {
		all[i] = o.Address
	}
	sort.Strings(all)
	return all
}

func (s *State) index() map[string]int {
	if s.byAddress == nil {
		s.byAddress = make(map[string]int, len(s.Objects))
		for i, o := range s.Objects {
			s.byAddress[o.Address] = i
		}
	}
	return s.byAddress
}

func (s *State) put(o Object) {
	if i, ok := s.index()[o.Address]; ok {
		s.Objects[i] = o
		return
	}
	s.byAddress[o.Address] = len(s.Objects)
	s.Objects = append(s.Objects, o)
}

func (s *State) remove(address string) {
	i, ok := s.index()[address]
	if !ok {
		return
	}
	last := len(s.Objects) - 1
	s.Objects[i] = s.Objects[last]
	s.byAddress[s.Objects[i].Address] = i
	s.Objects = s.Objects[:last]
	delete(s.byAddress, address)
}

// Load reads the state of a data directory without changing anything. Where nothing was ever applied it is empty.
func Load(dir string) (*State, error) {
	s, err := loadFile(filepath.Join(dir, "state.json"))
	if err != nil {
		return nil, err
	}
	if _, err := s.replay(filepath.Join(dir, "state.journal")); err != nil {
		return nil, err
	}
	return s, nil
}

// advice stands at the end of every error about an unreadable state.
const advice = "It is safe to delete it: running agents are found by asking them, and topics that exist are adopted (adopted topics are never deleted)"

func loadFile(name string) (*State, error) {
	raw, err := readFile(name, 1<<30)
	if errors.Is(err, fs.ErrNotExist) {
		return New(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	if len(raw) == 0 {
		return nil, fmt.Errorf("state file %s is empty (0 bytes). %s", name, advice)
	}
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(raw, &head); err != nil || head.Version < 1 {
		return nil, fmt.Errorf("state file %s is damaged: it is not a state of this program. %s", name, advice)
	}
	if head.Version > Version {
		return nil, fmt.Errorf("state file %s was written by a newer version of collect (format %d, this program reads up to %d). Use that version; nothing was changed", name, head.Version, Version)
	}
	s := New()
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("state file %s is damaged: it is not a state of this program. %s", name, advice)
	}
	s.byAddress = nil
	for _, o := range s.Objects {
		if o.Address == "" || o.Kind == "" {
			return nil, fmt.Errorf("state file %s is damaged: an object has no address. %s", name, advice)
		}
	}
	return s, nil
}

// readFile reads a whole file of ours: a regular one, not through a link, not larger than most.
func readFile(name string, most int64) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|nofollow, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", name)
	case info.Size() > most:
		return nil, fmt.Errorf("%s is larger than %d bytes", name, most)
	}
	raw := make([]byte, info.Size())
	n, err := f.ReadAt(raw, 0)
	if n == len(raw) {
		err = nil
	}
	return raw[:n], err
}
