package expr

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"
)

const hostileSize = 16 << 20

// within fails when f makes much memory. Time is not measured: at these sizes, work that grows faster than its input would never end.
func within(t *testing.T, name string, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if made := after.TotalAlloc - before.TotalAlloc; made > 64<<20 {
		t.Errorf("%s: it made %d MiB", name, made>>20)
	}
}

func TestHostileBodies(t *testing.T) {
	for _, c := range []string{"[", "{", "[[", `{"a":`, "!", "(", "- ", "\"", "0", "[1,", "\\"} {
		body := bytes.Repeat([]byte(c), hostileSize/len(c))
		for _, src := range []string{
			`jsondecode(event.body).a`, `jsondecode(event.body)[0]`, `tonumber(event.body)`, `parseint(event.body, 10)`,
			`can(regex("(a|aa)+$", event.body))`, `parsetime("YYYYMMDD", event.body)`, `can(tobool(event.body))`,
		} {
			p, s, ev := program(t, src, TypeString), new(Scratch), &fakeEvent{body: body}
			if strings.Contains(src, "regex") {
				ev.body = body[:len(body)/32] // package regexp is linear, but no faster than 60 ns a byte
			}
			within(t, src+" on "+c, func() {
				if _, err := p.Bytes(ev, s); err == nil && !strings.HasPrefix(src, "can") {
					t.Errorf("%s on %q: no error", src, c)
				}
			})
		}
	}
}

func TestGrowthIsBounded(t *testing.T) {
	ev := &fakeEvent{body: bytes.Repeat([]byte("a"), 1<<20)}
	for _, src := range []string{
		`replace(event.body, "a", event.body)`, `replace(event.body, "", event.body)`, `regexreplace(event.body, "a", event.body)`,
		`join(event.body, split("a", event.body))`, `replace(event.body, "a", "` + longText() + `")`,
	} {
		_, err := program(t, src, TypeString).Bytes(ev, new(Scratch))
		var ee *EventError
		if !errors.As(err, &ee) {
			t.Errorf("%s: got %v, want an event error", src, err)
		}
	}
	many := &fakeEvent{body: []byte("[" + strings.Repeat("1,", 1<<20) + "1]")}
	if _, err := program(t, `join("", jsondecode(event.body))`, TypeString).Bytes(many, new(Scratch)); err == nil {
		t.Error("a million elements are expanded")
	}
	if n, err := program(t, `length(jsondecode(event.body))`, TypeNumber).Number(many, new(Scratch)); err != nil || n != 1<<20+1 {
		t.Error("they can be counted:", n, err)
	}
}

func TestLongChainsAreRefused(t *testing.T) {
	src := `event.body == "a"` + strings.Repeat(` || event.body == "a"`, 12_000)
	e := parse(t, src)
	within(t, "chain", func() {
		_, diags := Residual(e, []byte(src), testContext(), TypeBool)
		if !diags.HasErrors() || !strings.Contains(diags[0].Detail, "10000 operators") {
			t.Error("a chain of 24,000 operators is accepted")
		}
	})
	src = `event.body == "a"` + strings.Repeat(` || event.body == "a"`, 2_000)
	e = parse(t, src)
	within(t, "short chain", func() {
		r, diags := Residual(e, []byte(src), testContext(), TypeBool)
		if diags.HasErrors() || r.Src != src {
			t.Fatal("it is refused or written differently")
		}
	})
	p := program(t, src, TypeBool)
	if b, err := p.Bool(newEvent("b", nil), new(Scratch)); b || err != nil {
		t.Error(b, err)
	}
}
