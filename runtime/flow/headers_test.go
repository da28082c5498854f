package flow

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestHeadersOfEventAndRun(t *testing.T) {
	t.Parallel()
	p := NewPoisonPool(8 << 20)
	b := p.Get()
	b.Begin("k", 0, &Meta{Headers: AppendHeaderBlock(nil, []Header{{"host", []byte("h1")}, {"env", []byte("test")}})})
	b.AddBody([]byte("a"), 2)
	b.AddBody([]byte("b"), 4)
	b.SetHeaders(0, Header{"n", []byte("1")}, Header{"env", []byte("own")})
	b.SetHeaders(0, Header{"n", b.Body(0)})
	show := func(i int) string {
		var s []string
		b.Headers(i, func(n, v []byte) bool { s = append(s, fmt.Sprintf("%s=%s", n, v)); return true })
		return strings.Join(s, " ")
	}
	if got, want := show(0), "host=h1 env=own n=a"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if v, ok := b.Header(1, "env"); !ok || string(v) != "test" || !b.HasHeaders(1) {
		t.Errorf("run header: %q %v", v, ok)
	}
	b.RemoveHeaders(1, func(n []byte) bool { return string(n) == "host" })
	if got, want := show(1), "env=test"; got != want {
		t.Errorf("after removing one of the run's: got %q, want %q", got, want)
	}
	if got, want := show(0), "env=own n=a host=h1"; got != want {
		t.Errorf("the other event: got %q, want %q", got, want)
	}
	b.RemoveHeaders(1, func([]byte) bool { return true })
	if b.HasHeaders(1) || !b.HasHeaders(0) {
		t.Error("not all of one event's headers, and only those, are gone")
	}
	at := b.AppendHeaders([]Header{{"shared", []byte("s")}})
	if !b.UseHeaders(1, at) || b.UseHeaders(0, at) || show(1) != "shared=s" {
		t.Errorf("shared block: %q", show(1))
	}
}

// TestHeadersBehaveLikeAMap compares sequences of changes with an ordered list.
func TestHeadersBehaveLikeAMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := NewPoisonPool(8 << 20).GetSized(16)
		b.Begin("k", 0, nil)
		b.AddBody([]byte("x"), 2)
		var want []Header
		name := rapid.SampledFrom([]string{"a", "bb", "", "long name"})
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				h := Header{name.Draw(t, "name"), rapid.SliceOf(rapid.Byte()).Draw(t, "value")}
				b.SetHeaders(0, h)
				want = slices.DeleteFunc(want, func(o Header) bool { return o.Name == h.Name })
				want = append(want, h)
			},
			"remove": func(t *rapid.T) {
				n := name.Draw(t, "name")
				b.RemoveHeaders(0, func(p []byte) bool { return string(p) == n })
				want = slices.DeleteFunc(want, func(o Header) bool { return o.Name == n })
			},
			"": func(t *rapid.T) {
				var got []Header
				b.Headers(0, func(n, v []byte) bool { got = append(got, Header{string(n), bytes.Clone(v)}); return true })
				same := slices.EqualFunc(got, want, func(x, y Header) bool { return x.Name == y.Name && bytes.Equal(x.Value, y.Value) })
				if !same || string(b.Body(0)) != "x" {
					t.Fatalf("got %v, want %v", got, want)
				}
			},
		})
	})
}

func FuzzHeaderBlock(f *testing.F) {
	f.Add(AppendHeaderBlock(nil, []Header{{"a", []byte("b")}, {"", nil}}))
	f.Add([]byte{10, 0, 0, 0, 255, 255, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, block []byte) {
		var headers []Header
		EachHeader(block, func(n, v []byte) bool { headers = append(headers, Header{string(n), v}); return true })
		if !ValidHeaderBlock(block) {
			return
		}
		if again := AppendHeaderBlock(nil, headers); !bytes.Equal(again, block) {
			t.Errorf("%x became %x", block, again)
		}
		for _, h := range headers {
			if _, ok := lookup(block, h.Name); !ok {
				t.Errorf("%q is not found", h.Name)
			}
		}
	})
}
