package csv

import (
	"bytes"

	"collect/providers/internal/onerror"
	"collect/runtime/flow"
)

// Interceptor splits bodies.
type Interceptor struct {
	columns []string
	sep     byte
	policy  onerror.Policy
	headers []flow.Header // one for each column that has a name
	unquote []byte
}

var _ flow.Interceptor = (*Interceptor)(nil)

// New makes the interceptor.
func New(cfg Config, _ flow.Env) (flow.Interceptor, error) {
	ic := &Interceptor{columns: cfg.Columns, sep: cfg.Separator[0], policy: onerror.Policy(cfg.OnError)}
	for _, name := range cfg.Columns {
		if name != "" {
			ic.headers = append(ic.headers, flow.Header{Name: name})
		}
	}
	return ic, nil
}

// The reasons for which a body cannot be split.
const (
	tooFew  = "csv: fewer fields than columns"
	noQuote = "csv: a quoted field has no end"
	junk    = "csv: text follows a quoted field"
)

// Intercept sets the headers.
func (ic *Interceptor) Intercept(b *flow.Batch, lo, hi int, k *flow.Keep) error {
	for i := lo; i < hi; i++ {
		if k.Gone(i) {
			continue
		}
		if reason := ic.split(b.Body(i)); reason != "" {
			ic.policy.Handle(b, i, k, reason)
			continue
		}
		b.SetHeaders(i, ic.headers...)
	}
	return nil
}

// split fills headers from one body; their values alias the body, or memory that the next call uses again.
func (ic *Interceptor) split(body []byte) (reason string) {
	ic.unquote = ic.unquote[:0]
	h := 0
	for n, name := range ic.columns {
		var field []byte
		more := false
		if len(body) > 0 && body[0] == '"' {
			if field, body, more, reason = ic.quoted(body); reason != "" {
				return reason
			}
		} else if end := bytes.IndexByte(body, ic.sep); end >= 0 {
			field, body, more = body[:end], body[end+1:], true
		} else {
			field, body = body, nil
		}
		if name != "" {
			ic.headers[h].Value = field
			h++
		}
		if !more && n < len(ic.columns)-1 {
			return tooFew
		}
	}
	return ""
}

// quoted takes a field in quotes off the front of body.
func (ic *Interceptor) quoted(body []byte) (field, rest []byte, more bool, reason string) {
	start, at := len(ic.unquote), 1
	for {
		end := bytes.IndexByte(body[at:], '"')
		if end < 0 {
			return nil, nil, false, noQuote
		}
		end += at
		if end+1 < len(body) && body[end+1] == '"' {
			ic.unquote = append(ic.unquote, body[at:end+1]...)
			at = end + 2
			continue
		}
		field = body[at:end]
		if at > 1 { // there were doubled quotes
			ic.unquote = append(ic.unquote, field...)
			field = ic.unquote[start:]
		}
		rest = body[end+1:]
		if len(rest) == 0 {
			return field, nil, false, ""
		}
		if rest[0] != ic.sep {
			return nil, nil, false, junk
		}
		return field, rest[1:], true, ""
	}
}
