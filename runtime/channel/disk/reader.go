package disk

import (
	"fmt"

	"collect/runtime/flow"
)

// place is where a frame lies.
type place struct {
	seg  *segment
	off  int64
	size int64
}

// reader keeps the file of the segment that was read last.
type reader struct {
	dir    flow.Dir
	number uint64
	file   flow.File
}

func (r *reader) open(s *segment) (flow.File, error) {
	if r.file != nil && r.number == s.number {
		return r.file, nil
	}
	r.close()
	f, err := r.dir.Open(s.name)
	if err != nil {
		return nil, fmt.Errorf("read segment: %w", err)
	}
	r.file, r.number = f, s.number
	return f, nil
}

func (r *reader) close() {
	if r.file != nil {
		_ = r.file.Close() // opened for reading only
		r.file = nil
	}
}
