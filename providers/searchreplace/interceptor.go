package searchreplace

import (
	"bytes"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"collect/runtime/flow"
)

// Interceptor replaces.
type Interceptor struct {
	re      *regexp.Regexp
	literal []byte // the pattern, when it is plain text and the replacement, too
	replace []byte
	header  string
	one     [1]flow.Header
	out     []byte
}

var _ flow.Interceptor = (*Interceptor)(nil)

// New makes the interceptor.
func New(cfg Config, _ flow.Env) (flow.Interceptor, error) {
	re, err := regexp.Compile(cfg.Pattern)
	if err != nil {
		return nil, fmt.Errorf("pattern: %w", err)
	}
	ic := &Interceptor{re: re, replace: []byte(cfg.Replace), header: cfg.Header, one: [1]flow.Header{{Name: cfg.Header}}}
	if !strings.Contains(cfg.Replace, "$") {
		ic.literal = literal(cfg.Pattern)
	}
	return ic, nil
}

// literal gives the text that a pattern stands for when it is plain text, else nil. (LiteralPrefix of package regexp also calls ^text$
// whole.)
func literal(pattern string) []byte {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil || re.Op != syntax.OpLiteral || re.Flags&syntax.FoldCase != 0 || slices.Contains(re.Rune, utf8.RuneError) {
		return nil
	}
	return []byte(string(re.Rune))
}

// Intercept replaces. An event in which nothing matches is not touched.
func (ic *Interceptor) Intercept(b *flow.Batch, lo, hi int, k *flow.Keep) error {
	for i := lo; i < hi; i++ {
		if k.Gone(i) {
			continue
		}
		if ic.header == "" {
			if out, changed := ic.apply(b.Body(i)); changed {
				b.SetBody(i, out)
			}
			continue
		}
		text, ok := b.Header(i, ic.header)
		if !ok {
			continue
		}
		if out, changed := ic.apply(text); changed {
			ic.one[0].Value = out
			b.SetHeaders(i, ic.one[:]...)
		}
	}
	return nil
}

// apply gives the new text, in memory that the next call uses again.
func (ic *Interceptor) apply(text []byte) (out []byte, changed bool) {
	if ic.literal != nil {
		return ic.applyLiteral(text)
	}
	if !ic.re.Match(text) {
		return nil, false
	}
	return ic.re.ReplaceAll(text, ic.replace), true
}

func (ic *Interceptor) applyLiteral(text []byte) ([]byte, bool) {
	at := bytes.Index(text, ic.literal)
	if at < 0 {
		return nil, false
	}
	ic.out = ic.out[:0]
	for at >= 0 {
		ic.out = append(append(ic.out, text[:at]...), ic.replace...)
		text = text[at+len(ic.literal):]
		at = bytes.Index(text, ic.literal)
	}
	ic.out = append(ic.out, text...)
	return ic.out, true
}
