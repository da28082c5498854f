package segment

import (
	"fmt"

	"collect/runtime/flow"
)

// Place is where a frame lies.
type Place struct {
	Seg  *Segment
	Off  int64
	Size int64
}

// Reader keeps the file of the segment that was read last.
type Reader struct {
	Dir    flow.Dir
	number uint64
	file   flow.File
}

// Open gives the file of a segment.
func (r *Reader) Open(s *Segment) (flow.File, error) {
	if r.file != nil && r.number == s.Number {
		return r.file, nil
	}
	r.Close()
	f, err := r.Dir.Open(s.Name)
	if err != nil {
		return nil, fmt.Errorf("read segment: %w", err)
	}
	r.file, r.number = f, s.Number
	return f, nil
}

// Close closes the file.
func (r *Reader) Close() {
	if r.file != nil {
		_ = r.file.Close() // opened for reading only
		r.file = nil
	}
}
