package json

import (
	"maps"
	"slices"
	"unsafe"

	"github.com/tidwall/gjson"

	"collect/providers/internal/onerror"
	"collect/runtime/flow"
)

// maxDepth is how deep a body may be nested. The parser calls itself for each level, so this is checked before.
const maxDepth = 64

// Interceptor takes values out.
type Interceptor struct {
	fields  []field
	policy  onerror.Policy
	headers []flow.Header
}

type field struct{ header, path string }

var _ flow.Interceptor = (*Interceptor)(nil)

// New makes the interceptor.
func New(cfg Config, _ flow.Env) (flow.Interceptor, error) {
	ic := &Interceptor{policy: onerror.Policy(cfg.OnError)}
	for _, name := range slices.Sorted(maps.Keys(cfg.Fields)) {
		ic.fields = append(ic.fields, field{name, cfg.Fields[name]})
	}
	return ic, nil
}

// The reasons for which a body cannot be read.
const (
	tooDeep = "json: nested more than 64 levels deep"
	invalid = "json: the body is not JSON"
)

// Intercept sets the headers.
func (ic *Interceptor) Intercept(b *flow.Batch, lo, hi int, k *flow.Keep) error {
	for i := lo; i < hi; i++ {
		if k.Gone(i) {
			continue
		}
		reason := ic.extract(b.Body(i))
		switch {
		case reason != "":
			ic.policy.Handle(b, i, k, reason)
		case len(ic.headers) > 0:
			b.SetHeaders(i, ic.headers...)
		}
	}
	return nil
}

// extract fills headers from one body; their values may alias it.
func (ic *Interceptor) extract(body []byte) (reason string) {
	ic.headers = ic.headers[:0]
	switch depth(body) {
	case -1:
		return tooDeep
	case 0:
		return invalid
	}
	if !gjson.ValidBytes(body) {
		return invalid
	}
	// The parser wants a string. It reads it while the body is held, and keeps nothing.
	text := unsafe.String(unsafe.SliceData(body), len(body))
	for _, f := range ic.fields {
		r := gjson.Get(text, f.path)
		value := r.Raw
		switch {
		case !r.Exists() || r.Type == gjson.Null:
			continue
		case r.Type == gjson.String:
			value = r.Str
		}
		ic.headers = append(ic.headers, flow.Header{Name: f.header, Value: unsafe.Slice(unsafe.StringData(value), len(value))})
	}
	return ""
}

// depth gives 1 for a body that may be parsed, -1 for one that is nested too deep, and 0 for an empty one.
func depth(body []byte) int {
	level, text := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			if level++; level > maxDepth {
				return -1
			}
		case c == '}' || c == ']':
			level--
		}
	}
	return min(len(body), 1)
}
