package main

import (
	"bytes"
	"io"
	"strconv"
	"sync/atomic"
)

// seen finds sequence numbers in a stream of any framing.
type seen struct {
	bits    []uint64
	unique  atomic.Int64
	doubled int
}

func newSeen(n int) *seen { return &seen{bits: make([]uint64, n/64+1)} }

var mark = []byte("seq=")

func (s *seen) read(r io.Reader) error {
	buf := make([]byte, 1<<20)
	kept := 0
	for {
		n, err := r.Read(buf[kept:])
		data := buf[:kept+n]
		for {
			i := bytes.Index(data, mark)
			if i < 0 || len(data) < i+14 {
				break
			}
			s.add(data[i+4 : i+14])
			data = data[i+14:]
		}
		kept = copy(buf, data[max(0, len(data)-17):])
		if i := bytes.Index(buf[:kept], mark); i >= 0 {
			kept = copy(buf, buf[i:kept])
		} else if kept > 3 {
			kept = copy(buf, buf[kept-3:kept])
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *seen) add(digits []byte) {
	n, err := strconv.Atoi(string(digits))
	if err != nil || n/64 >= len(s.bits) {
		return
	}
	if s.bits[n/64]&(1<<(n%64)) != 0 {
		s.doubled++
		return
	}
	s.bits[n/64] |= 1 << (n % 64)
	s.unique.Add(1)
}

func (s *seen) count(want int) (lost, doubled int) {
	return want - int(s.unique.Load()), s.doubled
}
