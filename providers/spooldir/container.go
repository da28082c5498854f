package spooldir

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/hamba/avro/v2"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"

	"collect/runtime/flow"
)

// Limits of an Avro container file. They hold for what comes out of a block, too.
const (
	maxBlock  = 32 << 20
	maxSchema = 1 << 20
	maxMeta   = 64 // entries
	syncLen   = 16
)

// container reads an Avro object container file:
//
//	"Obj\x01" metadata(map of bytes) sync[16] { count size data[size] sync[16] }…
type container struct {
	in     *bufio.Reader
	schema avro.Schema
	codec  string
	sync   [syncLen]byte
	zstd   *zstd.Decoder
}

// wrong makes an error of the file's content.
func wrong(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errContent, fmt.Errorf(format, args...))
}

// openContainer reads the head of the file.
func openContainer(src io.Reader) (*container, error) {
	c := &container{in: bufio.NewReaderSize(src, 64<<10)}
	var magic [4]byte
	if _, err := io.ReadFull(c.in, magic[:]); err != nil || magic != [4]byte{'O', 'b', 'j', 1} {
		return nil, wrong("not an Avro container file")
	}
	meta, err := c.readMeta()
	if err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(c.in, c.sync[:]); err != nil {
		return nil, wrong("the head is cut off")
	}
	if c.schema, err = parseSchema(meta["avro.schema"]); err != nil {
		return nil, err
	}
	switch c.codec = string(meta["avro.codec"]); c.codec {
	case "":
		c.codec = "null"
	case "null", "deflate", "snappy":
	case "zstandard":
		c.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBlock))
		if err != nil {
			return nil, fmt.Errorf("zstandard: %w", err)
		}
	default:
		return nil, wrong("unknown codec %.20q", c.codec)
	}
	return c, nil
}

func (c *container) close() {
	if c.zstd != nil {
		c.zstd.Close()
	}
}

// readMeta reads the map of metadata.
func (c *container) readMeta() (map[string][]byte, error) {
	meta := map[string][]byte{}
	for {
		n, err := binary.ReadVarint(c.in)
		if err != nil {
			return nil, wrong("the head is cut off")
		}
		if n == 0 {
			return meta, nil
		}
		if n < 0 { // the size of the entries follows
			n = -n
			if _, err := binary.ReadVarint(c.in); err != nil {
				return nil, wrong("the head is cut off")
			}
		}
		for ; n > 0; n-- {
			key, err := c.bytes(1024)
			if err != nil {
				return nil, err
			}
			if meta[string(key)], err = c.bytes(maxSchema); err != nil {
				return nil, err
			}
			if len(meta) > maxMeta {
				return nil, wrong("more than %d entries in the head", maxMeta)
			}
		}
	}
}

// bytes reads a length and so many bytes.
func (c *container) bytes(limit int64) ([]byte, error) {
	n, err := binary.ReadVarint(c.in)
	if err != nil {
		return nil, wrong("the file is cut off")
	}
	if n < 0 || n > limit {
		return nil, wrong("a value of %d bytes, at most %d are allowed", n, limit)
	}
	p := make([]byte, n)
	if _, err := io.ReadFull(c.in, p); err != nil {
		return nil, wrong("the file is cut off")
	}
	return p, nil
}

// next reads a block: the number of its records, and its data as stored. io.EOF is the end.
func (c *container) next() (count int64, data []byte, err error) {
	if _, err := c.in.Peek(1); errors.Is(err, io.EOF) {
		return 0, nil, io.EOF
	}
	if count, err = binary.ReadVarint(c.in); err != nil || count < 0 {
		return 0, nil, wrong("the file is cut off")
	}
	if data, err = c.bytes(maxBlock); err != nil {
		return 0, nil, err
	}
	var sync [syncLen]byte
	if _, err := io.ReadFull(c.in, sync[:]); err != nil || sync != c.sync {
		return 0, nil, wrong("a block has no end mark")
	}
	return count, data, nil
}

// unpack decompresses a block.
func (c *container) unpack(data []byte) ([]byte, error) {
	var out []byte
	var err error
	switch c.codec {
	case "null":
		return data, nil
	case "deflate":
		r := flate.NewReader(bytes.NewReader(data))
		out, err = io.ReadAll(io.LimitReader(r, maxBlock+1))
	case "snappy":
		if len(data) < 4 {
			return nil, wrong("a block without checksum")
		}
		body := data[:len(data)-4]
		n, lenErr := snappy.DecodedLen(body)
		if lenErr != nil || n > maxBlock {
			return nil, wrong("a block that does not decompress, or is too large")
		}
		if out, err = snappy.Decode(nil, body); err == nil && checksum(out) != binary.BigEndian.Uint32(data[len(data)-4:]) {
			err = errors.New("the checksum is wrong")
		}
	case "zstandard":
		out, err = c.zstd.DecodeAll(data, nil)
	}
	if err != nil {
		return nil, wrong("decompress a block: %w", err)
	}
	if len(out) > maxBlock {
		return nil, wrong("a block of more than %d bytes", maxBlock)
	}
	return out, nil
}

// readAvro emits the records of a container file. Positions count records.
func (s *Source) readAvro(ctx context.Context, w *writer, j *job, h flow.File) error {
	if j.note.Size == 0 {
		return nil
	}
	c, err := openContainer(io.NewSectionReader(h, 0, j.note.Size))
	if err != nil {
		return err
	}
	defer c.close()
	for at := int64(0); ; {
		count, data, err := c.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if at+count <= j.rd.Off { // acknowledged in an earlier run
			at += count
			continue
		}
		if data, err = c.unpack(data); err != nil {
			return err
		}
		if count > int64(len(data)) {
			return wrong("%d records in %d bytes", count, len(data))
		}
		if err := s.records(ctx, w, j, newRecords(c.schema, data), at, count); err != nil {
			return err
		}
		at += count
	}
}

// records emits the records of a block, of which the first one has number at. Those before the position are only skipped.
func (s *Source) records(ctx context.Context, w *writer, j *job, r *records, at, count int64) error {
	for end := at + count; at < end; at++ {
		body, err := r.next()
		if err != nil {
			return err
		}
		if at < j.rd.Off {
			continue
		}
		b := w.batch(int64(len(body)) * (end - at))
		if runs := b.Runs(); len(runs) == 0 || runs[len(runs)-1].Key != j.key {
			b.Begin(j.key, uint64(at), j.rd.Meta)
		}
		b.AddBody(body, uint64(at+1))
		w.add(j)
		j.rd.Off = at + 1
		if err := w.flushFull(ctx); err != nil {
			return err
		}
	}
	return nil
}
