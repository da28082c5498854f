package pipeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"time"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/datadir"
)

// saveInterval is how long acknowledged positions may be newer than their file.
const saveInterval = time.Second

const (
	positionsName    = "positions"
	positionsVersion = 1
)

// positionFile is where a source's positions are stored: one line with format version and CRC32C of the rest, then JSON. It is
// written whole, so it is old or new, and may be old: channels skip what they hold already.
//
//	collect-positions 1 5f0c3d2a
//	{"id":"…","type":"tail","routing":"…","keys":{"KEY":{"pos":4711,"note":"…"}}}
type positionFile struct {
	dir    flow.Dir
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

type storedPositions struct {
	ID      string               `json:"id"`
	Type    string               `json:"type"`
	Routing string               `json:"routing,omitempty"`
	Keys    map[string]storedKey `json:"keys"`
}

// openPositions reads the file, or begins a new one with a new uuid. A file of another source type is not used: its positions
// mean something else.
func openPositions(dir flow.Dir, typ string, rand flow.Rand) (*positionFile, error) {
	raw, ok, err := datadir.Read(dir, positionsName)
	if err != nil {
		return nil, err
	}
	if ok {
		s, err := decodePositions(raw)
		if err != nil {
			return nil, fmt.Errorf("positions %s/%s: %w", dir.Path(), positionsName, err)
		}
		if s.Type == typ {
			return &positionFile{dir: dir, id: s.ID, typ: typ, routing: s.Routing, loaded: s.Keys}, nil
		}
	}
	f := &positionFile{dir: dir, id: datadir.UUID(rand), typ: typ}
	return f, f.write(storedPositions{})
}

func (f *positionFile) write(s storedPositions) error {
	s.ID, s.Type = f.id, f.typ
	return datadir.Write(f.dir, positionsName, encodePositions(s))
}

func encodePositions(s storedPositions) []byte {
	body, err := json.Marshal(s)
	if err != nil {
		panic("pipeline: positions that are not JSON: " + err.Error())
	}
	head := fmt.Appendf(nil, "collect-positions %d %08x\n", positionsVersion, checksum(body))
	return append(append(head, body...), '\n')
}

func decodePositions(raw []byte) (storedPositions, error) {
	var s storedPositions
	head, body, _ := bytes.Cut(raw, []byte("\n"))
	body = bytes.TrimSuffix(body, []byte("\n"))
	var version int
	var sum uint32
	if _, err := fmt.Sscanf(string(head), "collect-positions %d %x", &version, &sum); err != nil {
		return s, fmt.Errorf("damaged: no valid first line; remove the file to read everything again")
	}
	if version != positionsVersion {
		return s, fmt.Errorf("format version %d is not known to this program, which knows %d", version, positionsVersion)
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
