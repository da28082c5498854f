package cursor

import (
	"hash/crc32"
	"testing"
)

func FuzzCursor(f *testing.F) {
	s := Side{Generation: 3, Kind: Consumer, Name: "sink.a"}
	s.Frontier = 10
	s.Add(Span{Lo: 12, Hi: 14, Events: 5})
	f.Add(s.Encode())
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) < sideHead {
			return
		}
		if n := le.Uint32(p[4:]); n >= sideHead && int(n) <= len(p) {
			le.PutUint32(p, crc32.Checksum(p[4:n], castagnoli))
		}
		var s Side
		if s.decode(p) {
			_ = s.Done(11)
			_ = s.Committed()
		}
	})
}

func TestProgressMergesRanges(t *testing.T) {
	t.Parallel()
	var p Progress
	for _, n := range []uint64{5, 3, 9, 4, 1} {
		p.Add(Span{Lo: n, Hi: n, Events: 10})
	}
	if p.Frontier != 1 || len(p.Spans) != 2 || p.Done(2) || !p.Done(4) || p.Done(6) || p.Committed() != 50 {
		t.Errorf("%+v", p)
	}
	p.Add(Span{Lo: 2, Hi: 2, Events: 10})
	if p.Frontier != 5 || len(p.Spans) != 1 || p.Highest() != 9 {
		t.Errorf("%+v", p)
	}
}
