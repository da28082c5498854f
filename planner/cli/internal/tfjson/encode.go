// Package tfjson gives plans, state, diagnostics and the progress of an apply as JSON with Terraform's field names, so that editors and CI that
// read those read these.
package tfjson

import (
	"encoding/json"
	"io"

	"collect/planner/render"
)

// NewEncoder encodes to an output that may be a terminal.
func NewEncoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(Visible(w))
	enc.SetEscapeHTML(false)
	return enc
}

// Visible escapes what could steer a terminal in JSON text, which an encoder writes a value at a time.
func Visible(w io.Writer) io.Writer { return visible{w} }

type visible struct{ w io.Writer }

func (v visible) Write(p []byte) (int, error) {
	if _, err := v.w.Write(render.JSON(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}
