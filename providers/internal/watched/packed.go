package watched

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxWindow bounds the memory that a compressed file can demand.
const maxWindow = 32 << 20

// IsPacked says whether a file of that name and content is compressed.
func IsPacked(name string, src io.ReaderAt) (bool, error) {
	kind := packing(name)
	if kind == "" {
		return false, nil
	}
	p, err := ReadFull(src, 0, 4)
	if err != nil {
		return false, err
	}
	if kind == "gz" {
		return bytes.HasPrefix(p, []byte{0x1f, 0x8b}), nil
	}
	return bytes.Equal(p, []byte{0x28, 0xb5, 0x2f, 0xfd}), nil
}

func packing(name string) string {
	switch {
	case strings.HasSuffix(name, ".gz"):
		return "gz"
	case strings.HasSuffix(name, ".zst"):
		return "zst"
	}
	return ""
}

// Packed reads a compressed file as if it were not compressed. It keeps the last bytes that came out, so that a reader may step back
// a little; stepping back further starts over. What is cut off ends like a file that ends there, and Torn says so.
type Packed struct {
	name string
	src  io.ReaderAt
	size int64
	keep int

	in    io.Reader
	close func()
	buf   []byte // what came out last
	start int64  // position of buf[0]
	end   bool
	torn  error
}

// NewPacked makes a reader of size bytes of compressed content, which can step back keep bytes.
func NewPacked(name string, src io.ReaderAt, size int64, keep int) *Packed {
	return &Packed{name: name, src: src, size: size, keep: keep}
}

// Torn gives the error at which the content ended too early: it is cut off, or damaged.
func (p *Packed) Torn() error { return p.torn }

// Close frees memory.
func (p *Packed) Close() {
	if p.close != nil {
		p.close()
	}
	p.in, p.close, p.buf = nil, nil, nil
}

// ReadAt reads at a position of the uncompressed content.
func (p *Packed) ReadAt(dst []byte, off int64) (int, error) {
	if p.in == nil || off < p.start {
		if err := p.restart(); err != nil {
			return 0, err
		}
	}
	got := 0
	for got < len(dst) {
		at := off + int64(got) - p.start
		if at < int64(len(p.buf)) {
			got += copy(dst[got:], p.buf[at:])
			continue
		}
		if p.end {
			return got, io.EOF
		}
		p.more()
	}
	return got, nil
}

const packedBlock = 64 << 10

// more decompresses the next block.
func (p *Packed) more() {
	if len(p.buf) > 2*p.keep+packedBlock {
		drop := len(p.buf) - p.keep
		p.start += int64(drop)
		p.buf = p.buf[:copy(p.buf, p.buf[drop:])]
	}
	p.buf = append(p.buf, make([]byte, packedBlock)...)
	free := p.buf[len(p.buf)-packedBlock:]
	n, err := p.in.Read(free)
	p.buf = p.buf[:len(p.buf)-packedBlock+n]
	if err != nil {
		p.end = true
		if !errors.Is(err, io.EOF) {
			p.torn = fmt.Errorf("decompress %s: %w", p.name, err)
		}
	}
}

func (p *Packed) restart() error {
	p.Close()
	p.start, p.end, p.torn = 0, false, nil
	raw := io.NewSectionReader(p.src, 0, p.size)
	if packing(p.name) == "gz" {
		z, err := gzip.NewReader(raw)
		if err != nil {
			return p.unreadable(err)
		}
		p.in, p.close = z, func() { _ = z.Close() } // frees nothing that matters
		return nil
	}
	z, err := zstd.NewReader(raw, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow),
		zstd.WithDecoderMaxMemory(1<<63-1))
	if err != nil {
		return p.unreadable(err)
	}
	p.in, p.close = z, z.Close
	return nil
}

// unreadable makes a head that is not complete yet, or damaged, an empty file.
func (p *Packed) unreadable(err error) error {
	p.in, p.end = strings.NewReader(""), true
	p.torn = fmt.Errorf("decompress %s: %w", p.name, err)
	return nil
}
