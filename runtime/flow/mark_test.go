package flow_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"collect/runtime/flow"
)

// describe gives all that can be seen of a batch.
func describe(b *flow.Batch) []any {
	var list []any
	for i := range b.Len() {
		headers := map[string]string{}
		b.Headers(i, func(n, v []byte) bool { headers[string(n)] = string(v); return true })
		list = append(list, []any{string(b.Body(i)), headers, b.Time(i), b.SourceOffset(i), b.Recs()[i].Flags()})
	}
	return append(list, len(b.Runs()), len(b.Arena()))
}

func TestARewoundRunIsAsItWas(t *testing.T) {
	for name, timed := range map[string]bool{"one time": false, "times of their own": true} {
		t.Run(name, func(t *testing.T) {
			b := flow.NewPool(1 << 20).GetSized(64)
			defer b.Release()
			shared := flow.AppendHeaderBlock(nil, []flow.Header{{Name: "host", Value: []byte("h")}})
			for r, key := range []string{"a", "b", "c"} {
				b.Begin(key, 0, &flow.Meta{Headers: shared})
				for i := range 3 {
					b.AddBody([]byte{byte('0' + r), byte('0' + i)}, uint64(3*i+3))
				}
			}
			b.SetBase(7)
			if timed {
				b.SetTime(4, 9)
			}
			var k flow.Keep
			k.Reset(b.Len())
			k.Drop(0, "before")
			k.OnPut(func() {})
			before := describe(b)
			var m flow.Mark
			for range 2 {
				m.Mark(b, 1, &k)
				for i := 3; i < 6; i++ {
					b.SetBody(i, []byte("a much longer body than the one before, so that the block grows"))
					b.SetTime(i, 99)
					b.SetHeaders(i, flow.Header{Name: "x", Value: []byte("y")})
					b.RemoveHeaders(i, func(n []byte) bool { return string(n) == "host" })
					k.DeadLetter(i, "after")
					k.OnPut(func() {})
				}
				m.Rewind(b, &k)
				if d := cmp.Diff(before, describe(b)); d != "" {
					t.Errorf("(-before +after):\n%s", d)
				}
			}
			if len(k.Puts()) != 1 || !k.Gone(0) || k.Gone(3) || !k.Any() {
				t.Errorf("calls %d, gone %v %v, any %v", len(k.Puts()), k.Gone(0), k.Gone(3), k.Any())
			}
		})
	}
}
