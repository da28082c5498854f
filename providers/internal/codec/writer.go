package codec

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Writer writes encoded events into one file. Close ends what the compression has begun; it does not close the file below.
type Writer interface {
	// WriteBlocks writes pieces of memory that hold n whole events.
	WriteBlocks(bufs [][]byte, n int) error
	Close() error
}

// Blocks is where a Writer writes.
type Blocks interface {
	WriteBlocks(bufs [][]byte) error
}

// Options say how a file is written.
type Options struct {
	Container   string         // "avro" for an Avro container file, else ""
	Compression string         // none, gzip, zstd, snappy, lz4
	Hadoop      bool           // snappy as Hadoop's block format instead of the framing format
	Random      func(p []byte) // fills p; for the marker of Avro containers
}

// Extension gives what a compression adds to a file name.
func (o Options) Extension() string {
	if o.Container != "" {
		return ""
	}
	switch o.Compression {
	case "gzip":
		return ".gz"
	case "zstd":
		return ".zst"
	case "lz4":
		return ".lz4"
	case "snappy":
		if o.Hadoop {
			return ".snappy"
		}
		return ".sz"
	}
	return ""
}

// NewWriter begins a file.
func NewWriter(to Blocks, o Options) (Writer, error) {
	if o.Container == "avro" {
		return newContainer(to, o)
	}
	w := &blockWriter{to: to}
	var c io.WriteCloser
	var err error
	switch o.Compression {
	case "", "none":
		return plain{to}, nil
	case "gzip":
		c, err = gzip.NewWriterLevel(w, gzip.DefaultCompression)
	case "zstd":
		c, err = zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithWindowSize(1<<20))
	case "lz4":
		l := lz4.NewWriter(w)
		err = l.Apply(lz4.ConcurrencyOption(1))
		c = l
	case "snappy":
		if o.Hadoop {
			c = &hadoopSnappy{to: w}
		} else {
			c = snappy.NewBufferedWriter(w)
		}
	default:
		err = fmt.Errorf("compression %q is not one of none, gzip, zstd, snappy, lz4", o.Compression)
	}
	if err != nil {
		return nil, err
	}
	return &compressed{c: c, w: w}, nil
}

// plain hands memory through.
type plain struct{ to Blocks }

func (p plain) WriteBlocks(bufs [][]byte, _ int) error { return p.to.WriteBlocks(bufs) }
func (p plain) Close() error                           { return nil }

// blockWriter gathers small writes of a compressor into large ones.
type blockWriter struct {
	to  Blocks
	buf []byte
}

const blockSize = 256 << 10

func (w *blockWriter) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	if len(w.buf) >= blockSize {
		if err := w.flush(); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

func (w *blockWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	err := w.to.WriteBlocks([][]byte{w.buf})
	w.buf = w.buf[:0]
	return err
}

type compressed struct {
	c io.WriteCloser
	w *blockWriter
}

func (c *compressed) WriteBlocks(bufs [][]byte, _ int) error {
	for _, b := range bufs {
		if _, err := c.c.Write(b); err != nil {
			return err
		}
	}
	return nil
}

func (c *compressed) Close() error {
	if err := c.c.Close(); err != nil {
		return err
	}
	return c.w.flush()
}

// hadoopSnappy is the format of Hadoop's SnappyCodec: for each chunk its length, the length of its compressed form (both four
// bytes, big-endian) and a raw snappy block.
type hadoopSnappy struct {
	to       io.Writer
	buf, out []byte
}

const snappyChunk = 128 << 10

func (h *hadoopSnappy) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		n := min(len(p), snappyChunk-len(h.buf))
		h.buf = append(h.buf, p[:n]...)
		p = p[n:]
		if len(h.buf) == snappyChunk {
			if err := h.chunk(); err != nil {
				return 0, err
			}
		}
	}
	return total, nil
}

func (h *hadoopSnappy) chunk() error {
	if len(h.buf) == 0 {
		return nil
	}
	body := s2.EncodeSnappy(h.out, h.buf)
	h.out = body[:cap(body)]
	var head [8]byte
	binary.BigEndian.PutUint32(head[:], uint32(len(h.buf)))
	binary.BigEndian.PutUint32(head[4:], uint32(len(body)))
	h.buf = h.buf[:0]
	if _, err := h.to.Write(head[:]); err != nil {
		return err
	}
	_, err := h.to.Write(body)
	return err
}

func (h *hadoopSnappy) Close() error { return h.chunk() }

// ContainerSchema is the schema of the Avro container files that sinks write: Flume's event.
const ContainerSchema = `{"type":"record","name":"Event","fields":[{"name":"headers","type":{"type":"map","values":"string"}},{"name":"body","type":"bytes"}]}`

// container writes an Avro object container file: a header with schema, codec and a random marker, then blocks of events, each
// with its count, its length and the marker.
type container struct {
	w     *blockWriter
	codec string
	sync  [16]byte
	buf   []byte
	n     int
	out   []byte
	flate *flate.Writer
	zstd  *zstd.Encoder
}

func newContainer(to Blocks, o Options) (*container, error) {
	c := &container{w: &blockWriter{to: to}}
	o.Random(c.sync[:])
	var err error
	switch o.Compression {
	case "", "none":
		c.codec = "null"
	case "gzip":
		c.codec = "deflate"
		c.flate, err = flate.NewWriter(nil, flate.DefaultCompression)
	case "snappy":
		c.codec = "snappy"
	case "zstd":
		c.codec = "zstandard"
		c.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	default:
		err = fmt.Errorf("compression %q is not one that an Avro container has: none, gzip, zstd, snappy", o.Compression)
	}
	if err != nil {
		return nil, err
	}
	return c, c.header()
}

func (c *container) header() error {
	h := append([]byte(nil), 'O', 'b', 'j', 1)
	h = binary.AppendVarint(h, 2)
	for _, kv := range [][2]string{{"avro.codec", c.codec}, {"avro.schema", ContainerSchema}} {
		for _, s := range kv {
			h = binary.AppendVarint(h, int64(len(s)))
			h = append(h, s...)
		}
	}
	h = append(h, 0)
	h = append(h, c.sync[:]...)
	_, err := c.w.Write(h)
	return err
}

const containerBlock = 64 << 10

func (c *container) WriteBlocks(bufs [][]byte, n int) error {
	for _, b := range bufs {
		c.buf = append(c.buf, b...)
	}
	c.n += n
	if len(c.buf) < containerBlock {
		return nil
	}
	return c.block()
}

func (c *container) block() error {
	if c.n == 0 {
		return nil
	}
	data, err := c.compress()
	if err != nil {
		return err
	}
	head := binary.AppendVarint(nil, int64(c.n))
	head = binary.AppendVarint(head, int64(len(data)))
	for _, p := range [][]byte{head, data, c.sync[:]} {
		if _, err := c.w.Write(p); err != nil {
			return err
		}
	}
	c.buf, c.n = c.buf[:0], 0
	return nil
}

func (c *container) Close() error {
	if err := c.block(); err != nil {
		return err
	}
	return c.w.flush()
}
