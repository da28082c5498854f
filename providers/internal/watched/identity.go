package watched

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"

	"collect/runtime/flow"
)

// HeadLen and TailLen are how many bytes of a file are compared to know it again.
const (
	HeadLen = 1024
	TailLen = 64
)

// Note is what is remembered of a file, beside its position.
type Note struct {
	Path    string `json:"path"`             // where it is
	Name    string `json:"name"`             // under which name it was found first: event.meta.file
	Dev     uint64 `json:"dev"`              // device
	Ino     uint64 `json:"ino"`              // inode
	Head    string `json:"head"`             // hash of the first bytes
	HeadLen int    `json:"head_len"`         // how many
	Tail    string `json:"tail"`             // hash of the last bytes before TailAt
	TailAt  int64  `json:"tail_at"`          // a position that was read
	Start   int64  `json:"start"`            // where reading began
	Packed  bool   `json:"packed"`           // compressed; positions count what comes out
	Size    int64  `json:"size"`             // for files that must not change: size
	ModTime int64  `json:"mtime"`            // and time of the last change, in ns
	State   string `json:"state"`            // for files that are read once
	Format  string `json:"format,omitempty"` // what positions count, where there is a choice
	Why     string `json:"why,omitempty"`    // the reason for the state
	Gone    int64  `json:"gone"`             // when it was missed first, in s
}

// stored is a note as it is stored. JSON holds text only: names of other bytes stand beside it.
type stored struct {
	*Note
	RawPath []byte `json:"raw_path,omitempty"`
	RawName []byte `json:"raw_name,omitempty"`
}

// Encode gives the form that is stored.
func (n *Note) Encode() []byte {
	s := stored{Note: n}
	if !utf8.ValidString(n.Path) || !utf8.ValidString(n.Name) {
		s.RawPath, s.RawName = []byte(n.Path), []byte(n.Name)
	}
	raw, err := json.Marshal(s)
	if err != nil {
		panic("watched: a note that is not JSON: " + err.Error())
	}
	return raw
}

// DecodeNote reads what Encode gave.
func DecodeNote(raw []byte) (*Note, error) {
	s := stored{Note: &Note{}}
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	if len(s.RawPath)+len(s.RawName) > 0 {
		s.Path, s.Name = string(s.RawPath), string(s.RawName)
	}
	return s.Note, nil
}

// ID is what the file system calls a file.
type ID struct{ Dev, Ino uint64 }

// IDOf gives the ID of a file.
func IDOf(i flow.Info) ID { return ID{i.Dev, i.Ino} }

// ID gives the ID of the file that the note is about.
func (n *Note) ID() ID { return ID{n.Dev, n.Ino} }

// At says where the file is now.
func (n *Note) At(path string, i flow.Info) { n.Path, n.Dev, n.Ino, n.Gone = path, i.Dev, i.Ino, 0 }

// LearnHead takes the head's hash, of at most HeadLen bytes; a file that is still short is learned again as it grows.
func (n *Note) LearnHead(src io.ReaderAt) error {
	if n.HeadLen == HeadLen {
		return nil
	}
	p, err := ReadFull(src, 0, HeadLen)
	if err != nil {
		return err
	}
	if len(p) > n.HeadLen && (n.HeadLen == 0 || hash(p[:n.HeadLen]) == n.Head) { // else the file was cut meanwhile
		n.Head, n.HeadLen = hash(p), len(p)
	}
	return nil
}

// LearnTail takes the hash of the bytes before position at.
func (n *Note) LearnTail(src io.ReaderAt, at int64) error {
	p, err := Tail(src, at)
	if err != nil {
		return err
	}
	n.SetTail(p, at)
	return nil
}

// SetTail takes the bytes before position at.
func (n *Note) SetTail(p []byte, at int64) { n.Tail, n.TailAt = hash(p), at }

// Content is the content of a file that is compared with notes. Hashes of its head are computed once for each length.
type Content struct {
	src   io.ReaderAt
	heads map[int]string
}

// NewContent prepares a comparison.
func NewContent(src io.ReaderAt) *Content { return &Content{src: src, heads: map[int]string{}} }

// Begins says whether the content begins with the head that was noted.
func (c *Content) Begins(n *Note) (bool, error) {
	if n.HeadLen == 0 {
		return true, nil
	}
	head, ok := c.heads[n.HeadLen]
	if !ok {
		p, err := ReadFull(c.src, 0, n.HeadLen)
		if err != nil {
			return false, err
		}
		if len(p) == n.HeadLen {
			head = hash(p)
		}
		c.heads[n.HeadLen] = head
	}
	return head == n.Head, nil
}

// Is says whether the content begins with the head that was noted, and has the noted bytes before the noted position.
func (c *Content) Is(n *Note) (bool, error) {
	if same, err := c.Begins(n); !same || err != nil {
		return false, err
	}
	if n.TailAt > 0 && n.Tail != "" {
		p, err := Tail(c.src, n.TailAt)
		if err != nil || len(p) < int(min(n.TailAt, TailLen)) || hash(p) != n.Tail {
			return false, err
		}
	}
	return true, nil
}

// Prefix says whether the first size bytes of b are those of a, by their beginning and their end.
func Prefix(a, b io.ReaderAt, size int64) (bool, error) {
	for _, part := range [][2]int64{{0, min(size, HeadLen)}, {size - min(size, TailLen), min(size, TailLen)}} {
		pa, err := ReadFull(a, part[0], int(part[1]))
		if err != nil {
			return false, err
		}
		pb, err := ReadFull(b, part[0], int(part[1]))
		if err != nil || !bytes.Equal(pa, pb) {
			return false, err
		}
	}
	return true, nil
}

// Distinctive says whether the note says enough to know the content in another file.
func (n *Note) Distinctive() bool { return n.HeadLen > 0 && n.TailAt > 0 && n.Tail != "" }

// Tail reads up to TailLen bytes before position at.
func Tail(src io.ReaderAt, at int64) ([]byte, error) {
	n := min(at, TailLen)
	return ReadFull(src, at-n, int(n))
}

// ReadFull reads n bytes, or as many as there are.
func ReadFull(src io.ReaderAt, off int64, n int) ([]byte, error) {
	p := make([]byte, n)
	got, err := src.ReadAt(p, off)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return p[:got], err
}

func hash(p []byte) string {
	sum := sha256.Sum256(p)
	return hex.EncodeToString(sum[:12])
}

// NewKey makes a position key, different for each file and each time a file begins anew.
func NewKey(r flow.Rand) string {
	var p [16]byte
	r.Read(p[:])
	return hex.EncodeToString(p[:])
}
