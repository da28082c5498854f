package host

import "collect/runtime/flow"

// Interceptor writes the host's name.
type Interceptor struct {
	cfg    Config
	header [1]flow.Header
	block  []byte
}

var _ flow.Interceptor = (*Interceptor)(nil)

// New makes the interceptor.
func New(cfg Config, env flow.Env) (flow.Interceptor, error) {
	ic := &Interceptor{cfg: cfg, header: [1]flow.Header{{Name: cfg.Header, Value: []byte(env.Host)}}}
	ic.block = flow.AppendHeaderBlock(nil, ic.header[:])
	return ic, nil
}

// Intercept sets the header.
func (ic *Interceptor) Intercept(b *flow.Batch, lo, hi int, k *flow.Keep) error {
	shared := uint32(b.Append(ic.block)) + 1
	for i := lo; i < hi; i++ {
		if k.Gone(i) {
			continue
		}
		if ic.cfg.Preserve {
			if _, ok := b.Header(i, ic.cfg.Header); ok {
				continue
			}
		}
		if !b.UseHeaders(i, shared) {
			b.SetHeaders(i, ic.header[:]...)
		}
	}
	return nil
}
