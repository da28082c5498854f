package regexextract

import (
	"fmt"
	"regexp"

	"collect/providers/internal/onerror"
	"collect/runtime/flow"
)

// Interceptor extracts.
type Interceptor struct {
	re      *regexp.Regexp
	names   []string // of the groups; "" has none
	header  string
	policy  onerror.Policy
	headers []flow.Header
}

var _ flow.Interceptor = (*Interceptor)(nil)

// New makes the interceptor.
func New(cfg Config, _ flow.Env) (flow.Interceptor, error) {
	re, err := regexp.Compile(cfg.Pattern)
	if err != nil {
		return nil, fmt.Errorf("pattern: %w", err)
	}
	return &Interceptor{re: re, names: re.SubexpNames(), header: cfg.Header, policy: onerror.Policy(cfg.OnError)}, nil
}

// The reasons for which an event cannot be handled.
const (
	noMatch  = "regex_extract: no match"
	noHeader = "regex_extract: the header is missing"
)

// Intercept sets the headers.
func (ic *Interceptor) Intercept(b *flow.Batch, lo, hi int, k *flow.Keep) error {
	for i := lo; i < hi; i++ {
		if k.Gone(i) {
			continue
		}
		text, ok := b.Body(i), true
		if ic.header != "" {
			text, ok = b.Header(i, ic.header)
		}
		if !ok {
			ic.policy.Handle(b, i, k, noHeader)
			continue
		}
		m := ic.re.FindSubmatchIndex(text)
		if m == nil {
			ic.policy.Handle(b, i, k, noMatch)
			continue
		}
		ic.headers = ic.headers[:0]
		for g, name := range ic.names {
			if name != "" && m[2*g] >= 0 {
				ic.headers = append(ic.headers, flow.Header{Name: name, Value: text[m[2*g]:m[2*g+1]]})
			}
		}
		if len(ic.headers) > 0 {
			b.SetHeaders(i, ic.headers...)
		}
	}
	return nil
}
