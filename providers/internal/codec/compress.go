package codec

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"

	"github.com/klauspost/compress/s2"
)

// compress gives the stored form of the block that is being gathered. The result is valid until the next call.
func (c *container) compress() ([]byte, error) {
	switch c.codec {
	case "deflate":
		w := bytes.NewBuffer(c.out[:0])
		c.flate.Reset(w)
		if _, err := c.flate.Write(c.buf); err != nil {
			return nil, err
		}
		if err := c.flate.Close(); err != nil {
			return nil, err
		}
		c.out = w.Bytes()
	case "snappy":
		body := s2.EncodeSnappy(c.out[:cap(c.out)], c.buf)
		c.out = binary.BigEndian.AppendUint32(body, crc32.ChecksumIEEE(c.buf)) // Avro's snappy blocks end in this checksum
	case "zstandard":
		c.out = c.zstd.EncodeAll(c.buf, c.out[:0])
	default:
		return c.buf, nil
	}
	return c.out, nil
}
