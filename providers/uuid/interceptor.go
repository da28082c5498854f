package uuid

import (
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"collect/runtime/flow"
)

// Interceptor names events.
type Interceptor struct {
	cfg    Config
	header [1]flow.Header
	text   [36]byte
	name   []byte
}

var _ flow.Interceptor = (*Interceptor)(nil)

// New makes the interceptor.
func New(cfg Config, _ flow.Env) (flow.Interceptor, error) {
	ic := &Interceptor{cfg: cfg, header: [1]flow.Header{{Name: cfg.Header}}}
	ic.header[0].Value = ic.text[:]
	return ic, nil
}

// Intercept sets the header.
func (ic *Interceptor) Intercept(b *flow.Batch, lo, hi int, k *flow.Keep) error {
	if lo == hi {
		return nil
	}
	run := b.RunOf(lo)
	ic.name = append(ic.name[:0], place(run.Key)...)
	at := len(ic.name)
	for i := lo; i < hi; i++ {
		if k.Gone(i) {
			continue
		}
		if ic.cfg.Preserve {
			if _, ok := b.Header(i, ic.cfg.Header); ok {
				continue
			}
		}
		ic.name = binary.BigEndian.AppendUint64(ic.name[:at], run.From+uint64(b.Recs()[i].After))
		ic.make()
		b.SetHeaders(i, ic.header[:]...)
	}
	return nil
}

// make computes the uuid of name.
func (ic *Interceptor) make() {
	sum := sha1.Sum(ic.name)
	sum[6] = sum[6]&0x0f | 0x50
	sum[8] = sum[8]&0x3f | 0x80
	for k, n := range [5][2]int{{0, 4}, {4, 6}, {6, 8}, {8, 10}, {10, 16}} {
		hex.Encode(ic.text[2*n[0]+k:], sum[n[0]:n[1]])
	}
	for _, dash := range [4]int{8, 13, 18, 23} {
		ic.text[dash] = '-'
	}
}

// uuidLen is the length of the source's uuid in front of its position keys.
const uuidLen = 36

// place gives what names the source and the place in it. A position key is the source's uuid, a part that changes with the
// configuration of its routes, and its own key; the part in the middle must not change the names of events.
func place(key string) string {
	parts := strings.SplitN(key, "/", 3)
	if len(parts) == 3 && len(parts[0]) == uuidLen {
		return parts[0] + "/" + parts[2]
	}
	return key
}
