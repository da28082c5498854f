package flow

import "testing"

func TestWhatMustNeverBeIsCountedAndToldOnce(t *testing.T) {
	misuse := map[string]struct {
		do   func(b *Batch)
		want string
	}{
		"released too often": {func(b *Batch) { b.Release(); b.Release() }, "a batch was released more often than it was held"},
		"done twice":         {func(b *Batch) { b.Done(Result{}); b.Done(Result{}) }, "a batch was done twice"},
	}
	for name, m := range misuse {
		t.Run(name, func(t *testing.T) {
			var told []string
			p := NewPool(1 << 20)
			p.OnViolation(func(what string) { told = append(told, what) })
			for range 3 {
				b := p.Get()
				b.SetDone(func(*Batch, Result) {})
				m.do(b)
			}
			if n, first := p.Violations(); n != 3 || first != m.want || len(told) != 1 || told[0] != m.want {
				t.Errorf("%d violations, first %q, told %q", n, first, told)
			}
			defer func() {
				if recover() == nil {
					t.Error("a test's pool takes it without a panic")
				}
			}()
			b := NewPoisonPool(1 << 20).Get()
			b.SetDone(func(*Batch, Result) {})
			m.do(b)
		})
	}
}
