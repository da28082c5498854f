package removeheader

import (
	"fmt"
	"regexp"

	"collect/runtime/flow"
)

// Interceptor removes headers.
type Interceptor struct {
	names map[string]bool
	re    *regexp.Regexp // nil: none
	match func(name []byte) bool
	found bool
}

var _ flow.Interceptor = (*Interceptor)(nil)

// New makes the interceptor.
func New(cfg Config, _ flow.Env) (flow.Interceptor, error) {
	ic := &Interceptor{names: map[string]bool{}}
	for _, n := range cfg.Names {
		ic.names[n] = true
	}
	if cfg.Pattern != "" {
		var err error
		if ic.re, err = regexp.Compile(cfg.Pattern); err != nil {
			return nil, fmt.Errorf("pattern: %w", err)
		}
	}
	ic.match = func(name []byte) bool { return ic.names[string(name)] || ic.re != nil && ic.re.Match(name) }
	return ic, nil
}

// Intercept removes the headers. An event that has none of them is not touched.
func (ic *Interceptor) Intercept(b *flow.Batch, lo, hi int, k *flow.Keep) error {
	find := func(name, _ []byte) bool {
		ic.found = ic.match(name)
		return !ic.found
	}
	for i := lo; i < hi; i++ {
		if k.Gone(i) {
			continue
		}
		ic.found = false
		if b.Headers(i, find); ic.found {
			b.RemoveHeaders(i, ic.match)
		}
	}
	return nil
}
