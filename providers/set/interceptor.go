package set

import (
	"fmt"
	"maps"
	"slices"

	"collect/hclspec/expr"
	"collect/providers/internal/onerror"
	"collect/runtime/flow"
)

// Interceptor sets.
type Interceptor struct {
	programs []*expr.Program // of the headers; nil where the value is constant
	headers  []flow.Header   // sorted by name; values of programs change from event to event
	block    []byte          // all headers in stored form, when all are constant
	body     *expr.Program
	time     *expr.Program
	policy   onerror.Policy
	ev       flow.Event
	scratch  expr.Scratch
	copied   []byte
}

var _ flow.Interceptor = (*Interceptor)(nil)

// New makes the interceptor.
func New(cfg Config, env flow.Env) (flow.Interceptor, error) {
	ic := &Interceptor{policy: onerror.Policy(cfg.OnError), ev: flow.Event{Host: env.Host}}
	allConst := true
	for _, name := range slices.Sorted(maps.Keys(cfg.Headers)) {
		p, err := expr.Compile(cfg.Headers[name], expr.TypeString)
		if err != nil {
			return nil, fmt.Errorf("headers.%s: %w", name, err)
		}
		h := flow.Header{Name: name}
		if p.IsConst() {
			v, err := p.Bytes(nil, &expr.Scratch{})
			if err != nil {
				return nil, fmt.Errorf("headers.%s: %w", name, err)
			}
			h.Value, p = slices.Clone(v), nil
		}
		allConst = allConst && p == nil
		ic.programs, ic.headers = append(ic.programs, p), append(ic.headers, h)
	}
	if allConst && len(ic.headers) > 0 {
		ic.block = flow.AppendHeaderBlock(nil, ic.headers)
	}
	var err error
	if cfg.Body.IsSet() {
		if ic.body, err = expr.Compile(cfg.Body, expr.TypeString); err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
	}
	if cfg.Time.IsSet() {
		if ic.time, err = expr.Compile(cfg.Time, expr.TypeString); err != nil {
			return nil, fmt.Errorf("time: %w", err)
		}
	}
	return ic, nil
}

// Intercept sets what is to be set.
func (ic *Interceptor) Intercept(b *flow.Batch, lo, hi int, k *flow.Keep) error {
	shared := uint32(0)
	if ic.block != nil {
		shared = uint32(b.Append(ic.block)) + 1
	}
	for i := lo; i < hi; i++ {
		if k.Gone(i) {
			continue
		}
		ic.ev.Seek(b, i)
		ic.scratch.Reset()
		if err := ic.change(b, i, shared); err != nil {
			ic.policy.Handle(b, i, k, err.Error())
		}
	}
	return nil
}

// change computes everything from the event as it is, and then changes it.
func (ic *Interceptor) change(b *flow.Batch, i int, shared uint32) (err error) {
	var ns int64
	var body []byte
	if ic.time != nil {
		if ns, err = ic.time.Time(&ic.ev, &ic.scratch); err != nil {
			return err
		}
	}
	if ic.body != nil {
		if body, err = ic.body.Bytes(&ic.ev, &ic.scratch); err != nil {
			return err
		}
	}
	need := len(body)
	for n, p := range ic.programs {
		if p == nil {
			continue
		}
		if ic.headers[n].Value, err = p.Bytes(&ic.ev, &ic.scratch); err != nil {
			return err
		}
		need += len(ic.headers[n].Value)
	}
	if ic.body != nil && len(ic.headers) > 0 {
		body = ic.detach(b, body, need)
	}
	if len(ic.headers) > 0 && (shared == 0 || !b.UseHeaders(i, shared)) {
		b.SetHeaders(i, ic.headers...)
	}
	if ic.body != nil {
		b.SetBody(i, body)
	}
	if ic.time != nil {
		b.SetTime(i, ns)
	}
	return nil
}

// detach copies the body when storing the headers might move the batch's memory, which the body may be part of.
func (ic *Interceptor) detach(b *flow.Batch, body []byte, need int) []byte {
	const perHeader = 6 + 255
	room := need + 64 + perHeader*len(ic.headers)
	if len(b.Space(0)) > room+ic.ownHeaders() {
		return body
	}
	ic.copied = append(ic.copied[:0], body...)
	return ic.copied
}

// ownHeaders gives about how many bytes the event's present headers take.
func (ic *Interceptor) ownHeaders() int {
	n := 0
	ic.ev.Headers(func(name, value []byte) bool {
		n += len(name) + len(value) + 6
		return true
	})
	return n
}
