package timestamp

import (
	"strconv"
	"time"

	"collect/runtime/flow"
)

// Interceptor writes times.
type Interceptor struct {
	cfg    Config
	header [1]flow.Header
	text   []byte
	block  []byte
}

var _ flow.Interceptor = (*Interceptor)(nil)

// New makes the interceptor.
func New(cfg Config, _ flow.Env) (flow.Interceptor, error) {
	return &Interceptor{cfg: cfg, header: [1]flow.Header{{Name: cfg.Header}}}, nil
}

// Intercept sets the header. Events of one time share it.
func (ic *Interceptor) Intercept(b *flow.Batch, lo, hi int, k *flow.Keep) error {
	var shared uint32
	var last int64
	for i := lo; i < hi; i++ {
		if k.Gone(i) || ic.cfg.Preserve && has(b, i, ic.cfg.Header) {
			continue
		}
		ms := b.Time(i) / int64(time.Millisecond)
		if shared == 0 || ms != last {
			last = ms
			ic.text = strconv.AppendInt(ic.text[:0], ms, 10)
			ic.header[0].Value = ic.text
			ic.block = flow.AppendHeaderBlock(ic.block[:0], ic.header[:])
			shared = uint32(b.Append(ic.block)) + 1
		}
		if !b.UseHeaders(i, shared) {
			b.SetHeaders(i, ic.header[:]...)
		}
	}
	return nil
}

func has(b *flow.Batch, i int, name string) bool {
	_, ok := b.Header(i, name)
	return ok
}
