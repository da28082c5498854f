package flow

import (
	"bytes"
	"testing"
)

// A pool that overwrites freed memory shows whether a change reads a block after it was given back.
func TestChangesMayAliasTheBatchThatTheyOutgrow(t *testing.T) {
	for name, change := range map[string]func(b *Batch, value []byte){
		"SetBody":    func(b *Batch, v []byte) { b.SetBody(0, v) },
		"SetHeaders": func(b *Batch, v []byte) { b.SetHeaders(0, Header{"new", v}) },
		"RemoveHeaders": func(b *Batch, _ []byte) {
			b.RemoveHeaders(0, func(n []byte) bool { return string(n) == "none" })
		},
		"Append": func(b *Batch, v []byte) { b.Append(v) },
	} {
		t.Run(name, func(t *testing.T) {
			b := NewPoisonPool(64 << 20).Get()
			b.Begin("k", 0, nil)
			value := bytes.Repeat([]byte("v"), 1000)
			b.AddBody(value, 1001)
			b.SetHeaders(0, Header{"old", value})
			b.Used(len(b.Space(0))) // no byte is left
			alias := b.Body(0)
			change(b, alias)
			if !bytes.Equal(b.Body(0), value) {
				t.Error("the body changed")
			}
			for _, n := range []string{"old", "new"} {
				if got, ok := b.Header(0, n); ok && !bytes.Equal(got, value) {
					t.Errorf("header %s changed", n)
				}
			}
			if name == "Append" && !bytes.HasSuffix(b.Arena(), value) {
				t.Error("what was appended changed")
			}
			b.Release()
		})
	}
}
