package segment

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"collect/runtime/channel/disk/internal/frame"
	"collect/runtime/flow"
	"collect/runtime/flow/host"
)

func openDir(t *testing.T) (flow.Dir, string) {
	t.Helper()
	path := t.TempDir()
	dir, err := host.FS().OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	return dir, path
}

// made gives a segment with three frames of positions behind the one that Create writes, and their places.
func made(t *testing.T, dir flow.Dir) (*Segment, []Place) {
	t.Helper()
	w, err := Create(dir, Name(7), Head{Number: 7, Base: 1, Salt: 42}, 1, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	var places []Place
	for seq := range uint64(3) {
		h, tables := frame.Positions(nil, 0, []frame.Position{{Key: "key", To: seq}})
		h.Seq = seq
		at, err := w.Extend(&h, nil, tables)
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, at)
	}
	if err := errors.Join(w.Sync(), w.Close()); err != nil {
		t.Fatal(err)
	}
	return w.Seg, places
}

func TestFindGoesOnBehindDamage(t *testing.T) {
	t.Parallel()
	dir, path := openDir(t)
	s, places := made(t, dir)
	name := filepath.Join(path, s.Name)
	p, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	p[places[1].Off+20] ^= 1 // in a header
	p[places[2].Off+frame.HeaderBytes] ^= 1
	if err := os.WriteFile(name, p, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := dir.Open(s.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if h, err := ReadHead(f); err != nil || h != s.Head {
		t.Errorf("head %+v %v, want %+v", h, err, s.Head)
	}
	h, at, err := Find(f, s.Salt, places[0].Off)
	if err != nil || at != places[0].Off || h.Seq != 0 {
		t.Errorf("found %d at %d, %v", h.Seq, at, err)
	}
	if body, err := ReadBody(f, &h, at, make([]byte, h.Body())); err != nil || body == nil {
		t.Errorf("a whole body is damaged: %v", err)
	}
	h, at, err = Find(f, s.Salt, places[1].Off)
	if err != nil || at != places[2].Off || h.Seq != 2 {
		t.Errorf("behind a damaged header: found %d at %d, %v; want 2 at %d", h.Seq, at, err, places[2].Off)
	}
	if body, err := ReadBody(f, &h, at, make([]byte, h.Body())); err != nil || body != nil {
		t.Errorf("a damaged body is whole: %v", err)
	}
	if _, at, err := Find(f, s.Salt, at+h.Size()); at != -1 || err != nil {
		t.Errorf("behind the last one: found at %d, %v", at, err)
	}
	if _, at, err := Find(f, s.Salt+1, HeadBytes); at != -1 || err != nil {
		t.Errorf("frames of another salt count: found at %d, %v", at, err)
	}
}

var errSector = errors.New("input/output error")

// lame is a file with a block that cannot be read.
type lame struct {
	flow.File
	block int64
}

func (l lame) ReadAt(p []byte, off int64) (int, error) {
	if off < (l.block+1)*DiskBlock && off+int64(len(p)) > l.block*DiskBlock {
		return 0, errSector
	}
	return l.File.ReadAt(p, off)
}

func TestSetAsideKeepsWhatCanBeReadAroundABadBlock(t *testing.T) {
	t.Parallel()
	dir, path := openDir(t)
	whole := bytes.Repeat([]byte("0123456789abcdef"), 4*DiskBlock/16)
	if err := os.WriteFile(filepath.Join(path, Name(1)), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := dir.Open(Name(1))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := Piece{Seg: &Segment{Head: Head{Number: 1}}, Off: 100, To: 3*DiskBlock + 50, How: Unread}
	if err := SetAside(dir, lame{f, 1}, p.Name(), p.Off, p.To); err != nil {
		t.Fatal(err)
	}
	clear(whole[DiskBlock : 2*DiskBlock])
	if got, err := os.ReadFile(filepath.Join(path, p.Name())); err != nil || !bytes.Equal(got, whole[p.Off:p.To]) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if number, off, ok := UnreadPiece(p.Name()); number != 1 || off != 100 || !ok {
		t.Errorf("%s says segment %d, offset %d, %v", p.Name(), number, off, ok)
	}
	p.How = Wrong
	if _, _, ok := UnreadPiece(p.Name()); ok {
		t.Errorf("%s could be read", p.Name())
	}
}
