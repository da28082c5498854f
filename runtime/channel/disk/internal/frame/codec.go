package frame

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// How an arena is stored.
const (
	codecNone = 0
	codecZstd = 1
	codecLZ4  = 2
	codecs    = 3
)

// Codec compresses and expands arenas. It is safe for use from several goroutines.
type Codec struct {
	kind byte
	enc  *zstd.Encoder
	dec  *zstd.Decoder
}

// NewCodec makes one that compresses as its name says: none, zstd or lz4. Each expands all of these.
func NewCodec(name string) (*Codec, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(MaxBody), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, fmt.Errorf("prepare zstd: %w", err)
	}
	c := &Codec{dec: dec}
	switch name {
	case "zstd":
		c.kind = codecZstd
		c.enc, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(2), zstd.WithEncoderLevel(zstd.SpeedFastest))
		if err != nil {
			return nil, fmt.Errorf("prepare zstd: %w", err)
		}
	case "lz4":
		c.kind = codecLZ4
	}
	return c, nil
}

// compress gives the stored form of an arena and its codec. What does not get smaller is stored as it is.
func (c *Codec) compress(arena []byte) ([]byte, byte) {
	switch c.kind {
	case codecZstd:
		if out := c.enc.EncodeAll(arena, make([]byte, 0, len(arena)/2+64)); len(out) < len(arena) {
			return out, codecZstd
		}
	case codecLZ4:
		out := make([]byte, lz4.CompressBlockBound(len(arena)))
		var lc lz4.Compressor
		if n, err := lc.CompressBlock(arena, out); err == nil && n > 0 && n < len(arena) {
			return out[:n], codecLZ4
		}
	}
	return arena, codecNone
}

var errExpand = errors.New("expands to another length")

// expand fills dst, whose length is what the frame says, from the stored form.
func (c *Codec) expand(dst, stored []byte, kind byte) error {
	switch kind {
	case codecZstd:
		out, err := c.dec.DecodeAll(stored, dst[:0:len(dst)])
		if err != nil {
			return fmt.Errorf("expand zstd: %w", err)
		}
		if len(out) != len(dst) || len(out) > 0 && &out[0] != &dst[0] {
			return errExpand
		}
	case codecLZ4:
		n, err := lz4.UncompressBlock(stored, dst)
		if err != nil {
			return fmt.Errorf("expand lz4: %w", err)
		}
		if n != len(dst) {
			return errExpand
		}
	}
	return nil
}

// Close gives back what the codec holds.
func (c *Codec) Close() {
	c.dec.Close()
	if c.enc != nil {
		_ = c.enc.Close() // it holds nothing: only whole blocks were encoded
	}
}
