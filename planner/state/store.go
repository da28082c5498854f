package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"time"

	"collect/planner/resource"
)

// Store is the state that an apply changes. It belongs to whoever holds the lock exclusively. Its methods may be called
// from several goroutines.
type Store struct {
	dir string

	mu      sync.Mutex // guards all that follows
	state   *State
	journal *os.File
	failed  error // the journal could not be written: nothing may be promised any more
	dirty   bool
}

// record is a line of the journal.
type record struct {
	Put    *Object `json:"put,omitempty"`
	Remove string  `json:"remove,omitempty"`
}

// Open reads the state for changing it. The data directory must exist.
func Open(dir string) (*Store, error) {
	s, err := loadFile(filepath.Join(dir, "state.json"))
	if err != nil {
		return nil, err
	}
	name := filepath.Join(dir, "state.journal")
	whole, err := s.replay(name)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|nofollow, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open state journal: %w", err)
	}
	if err := f.Truncate(whole); err != nil {
		f.Close()
		return nil, fmt.Errorf("open state journal: %w", err)
	}
	if _, err := f.Seek(whole, 0); err != nil {
		f.Close()
		return nil, fmt.Errorf("open state journal: %w", err)
	}
	return &Store{dir: dir, state: s, journal: f, dirty: whole > 0}, nil
}

// State gives the state for reading; it must not be used while steps run.
func (st *Store) State() *State { return st.state }

// Intent remembers that a step begins. An object that is being created counts as created by us from here on, so that a
// kill before the end does not leave something that nobody owns.
func (st *Store) Intent(address, kind string, action resource.Action, protect bool, dependsOn []string) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	o := Object{Known: resource.Known{Address: address, Kind: kind, Origin: resource.Created}, DependsOn: dependsOn}
	if known := st.state.Known(address); known != nil {
		o.Known = *known
	}
	o.Intent, o.Protect = action, protect || o.Protect
	return st.write(record{Put: &o})
}

// Put remembers an object after its step.
func (st *Store) Put(k resource.Known, dependsOn []string) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	k.Intent = ""
	return st.write(record{Put: &Object{Known: k, DependsOn: dependsOn}})
}

// Remove forgets an object.
func (st *Store) Remove(address string) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.write(record{Remove: address})
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func (st *Store) write(r record) error {
	if st.failed != nil {
		return st.failed
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write state journal: %w", err)
	}
	line := fmt.Appendf(nil, "%08x %s\n", checksum(raw), raw)
	if _, err := st.journal.Write(line); err != nil {
		st.failed = fmt.Errorf("write state journal: %w", err)
		return st.failed
	}
	if err := st.journal.Sync(); err != nil {
		st.failed = fmt.Errorf("write state journal: %w", err)
		return st.failed
	}
	st.state.apply(r)
	st.dirty = true
	return nil
}

func (s *State) apply(r record) {
	switch {
	case r.Put != nil:
		s.put(*r.Put)
	case r.Remove != "":
		s.remove(r.Remove)
	}
	s.Serial++
}

// replay applies the records of a journal and gives the length of its whole part.
func (s *State) replay(name string) (whole int64, err error) {
	raw, err := readFile(name, 1<<30)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read state journal: %w", err)
	}
	for len(raw) > 0 {
		line, rest, complete := bytes.Cut(raw, []byte{'\n'})
		r, ok := parseRecord(line)
		if !complete || !ok {
			if len(rest) == 0 {
				return whole, nil // torn by a crash: it never counted
			}
			return 0, fmt.Errorf("state journal %s is damaged at byte %d. %s", name, whole, advice)
		}
		s.apply(r)
		whole += int64(len(line)) + 1
		raw = rest
	}
	return whole, nil
}

func parseRecord(line []byte) (record, bool) {
	var r record
	var sum uint32
	if len(line) < 10 || line[8] != ' ' {
		return r, false
	}
	if _, err := fmt.Sscanf(string(line[:8]), "%08x", &sum); err != nil || checksum(line[9:]) != sum {
		return r, false
	}
	err := json.Unmarshal(line[9:], &r)
	return r, err == nil && (r.Put == nil) != (r.Remove == "") && (r.Put == nil || r.Put.Address != "")
}

// Result is what an apply leaves in state besides objects.
type Result struct {
	Revised bool // something was changed: it is a revision of its own
	Commit  string
	Root    string
	Program string
	Outputs []Output // nil keeps the old ones
	// DependsOn are references of all wanted objects; those that are known are brought up to date.
	DependsOn map[string][]string
}

// NextRevision is the number that the running apply gets when it changes something.
func (st *Store) NextRevision() int {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.state.Revision + 1
}

// Finish writes the whole state and removes the journal.
func (st *Store) Finish(r Result, now time.Time) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	s := st.state
	s.Serial++
	if r.Revised {
		s.Revision++
		s.Commit, s.Root, s.Program, s.Applied = r.Commit, r.Root, r.Program, now.UTC().Truncate(time.Second)
	}
	if r.Outputs != nil {
		s.Outputs = r.Outputs
	}
	for i, o := range s.Objects {
		if deps, ok := r.DependsOn[o.Address]; ok {
			s.Objects[i].DependsOn = deps
		}
	}
	return st.save()
}

func (st *Store) save() error {
	s := st.state
	sort.Slice(s.Objects, func(i, j int) bool { return s.Objects[i].Address < s.Objects[j].Address })
	s.byAddress = nil
	raw, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	if err := WriteFile(filepath.Join(st.dir, "state.json"), append(raw, '\n'), 0o600); err != nil {
		return err
	}
	// state.json holds all of the journal now. A crash before the next line repeats records, which changes nothing.
	if err := st.journal.Truncate(0); err != nil {
		return fmt.Errorf("empty state journal: %w", err)
	}
	if _, err := st.journal.Seek(0, 0); err != nil {
		return fmt.Errorf("empty state journal: %w", err)
	}
	st.dirty = false
	return nil
}

// Close closes the journal. What was written stays, whether or not Finish was called; an empty journal is removed.
func (st *Store) Close() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	err := st.journal.Close()
	if !st.dirty && st.failed == nil {
		if rerr := os.Remove(filepath.Join(st.dir, "state.journal")); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) && err == nil {
			err = rerr
		}
	}
	return err
}

// DependsOn gives what an object referred to when it was applied.
func (st *Store) DependsOn(address string) []string {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.state.DependsOn(address)
}
