package position

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/datadir"
)

const (
	fileName    = "positions"
	fileVersion = 1
)

// file is where a source's positions are stored: one line with format version and CRC32C of the rest, then JSON. It is
// written whole, so it is old or new, and may be old: channels skip what they hold already.
//
//	collect-positions 1 5f0c3d2a
//	{"id":"…","type":"tail","routing":"…","keys":{"KEY":{"pos":4711,"note":"…"}}}
//
// The first type that a source of this name has gets the file positions, another one positions.TYPE.
type file struct {
	dir    flow.Dir
	name   string
	id     string // uuid of the source, the first part of its keys in channels
	typ    string
	loaded map[string]storedKey
	// routing is the hash of the interceptors and routes that the stored keys were last emitted with.
	routing string
}

type storedKey struct {
	Pos   uint64 `json:"pos"`
	Known bool   `json:"known,omitempty"`
	Note  []byte `json:"note,omitempty"`
}

type stored struct {
	ID      string               `json:"id"`
	Type    string               `json:"type"`
	Routing string               `json:"routing,omitempty"`
	Keys    map[string]storedKey `json:"keys"`
}

// openFile reads the file of a source type, or begins a new one with a new uuid. Positions of another type mean something else: they stay
// in their file, for when that type comes back.
func openFile(dir flow.Dir, typ string, rand flow.Rand) (*file, error) {
	for _, name := range []string{fileName, fileName + "." + typ} {
		raw, ok, err := datadir.Read(dir, name)
		if err != nil {
			return nil, err
		}
		if !ok {
			f := &file{dir: dir, name: name, id: datadir.UUID(rand), typ: typ}
			return f, f.write(stored{})
		}
		s, err := decode(raw)
		if err != nil {
			return nil, fmt.Errorf("positions %s/%s: %w", dir.Path(), name, err)
		}
		if s.Type == typ {
			return &file{dir: dir, name: name, id: s.ID, typ: typ, routing: s.Routing, loaded: s.Keys}, nil
		}
	}
	return nil, fmt.Errorf("positions %s/%s.%s are of another type", dir.Path(), fileName, typ)
}

func (f *file) write(s stored) error {
	s.ID, s.Type = f.id, f.typ
	return datadir.Write(f.dir, f.name, encode(s))
}

func encode(s stored) []byte {
	body, err := json.Marshal(s)
	if err != nil {
		panic("position: positions that are not JSON: " + err.Error())
	}
	head := fmt.Appendf(nil, "collect-positions %d %08x\n", fileVersion, checksum(body))
	return append(append(head, body...), '\n')
}

func decode(raw []byte) (stored, error) {
	var s stored
	head, body, _ := bytes.Cut(raw, []byte("\n"))
	body = bytes.TrimSuffix(body, []byte("\n"))
	var version int
	var sum uint32
	if _, err := fmt.Sscanf(string(head), "collect-positions %d %x", &version, &sum); err != nil {
		return s, fmt.Errorf("damaged: no valid first line; remove the file to read everything again")
	}
	if version != fileVersion {
		return s, fmt.Errorf("format version %d is not known to this program, which knows %d", version, fileVersion)
	}
	if checksum(body) != sum {
		return s, fmt.Errorf("damaged: the checksum differs; remove the file to read everything again")
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return s, fmt.Errorf("damaged: %w", err)
	}
	return s, nil
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
