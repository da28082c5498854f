package providers

import (
	"collect/providers/internal/codec"
	"collect/runtime/flow"
)

// AppendEvent appends an event of a batch, with a line end, as sinks write it: its body as it is, or a JSON object in which nothing is lost.
func AppendEvent(dst []byte, b *flow.Batch, i int, raw bool) ([]byte, error) {
	format := "json"
	if raw {
		format = "raw"
	}
	c, err := codec.New(format, "keep")
	if err != nil {
		return dst, err
	}
	return c.Append(dst, b, i), nil
}
