package console

import (
	"bytes"
	"strings"
	"testing"

	"collect/runtime/flow"
)

func write(t *testing.T, cfg Config, bodies ...string) string {
	t.Helper()
	var out bytes.Buffer
	s, err := New(cfg, flow.Env{Out: &out})
	if err != nil {
		t.Fatal(err)
	}
	b := flow.NewPool(1 << 20).Get()
	b.Begin("k", 0, nil)
	for i, body := range bodies {
		b.AddBody([]byte(body), uint64(i+1))
	}
	done := 0
	b.SetDone(func(_ *flow.Batch, r flow.Result) { done++ })
	if err := s.Write(t.Context(), b); err != nil || done != 1 {
		t.Fatalf("Write: %v, done %d times", err, done)
	}
	return out.String()
}

func TestEventsAreLines(t *testing.T) {
	if got, want := write(t, Defaults(), "a", "b\nc"), "a\nb\\nc\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := write(t, Config{Format: "json"}, "a"); !strings.Contains(got, `"body":"a"}`) {
		t.Errorf("got %q", got)
	}
}

// No control byte of an event reaches the terminal.
func TestNoControlByteReachesTheTerminal(t *testing.T) {
	var all []byte
	for c := range 256 {
		all = append(all, byte(c))
	}
	got := write(t, Defaults(), string(all), "\x1b]52;c;eA==\x07", "\u202eevil\u2066", "\xc2\x9b31m", "한글\tok")
	for i, r := range got {
		if r < 0x20 && r != '\t' && r != '\n' || r >= 0x7f && r < 0xa0 || r == 0x202e || r == 0x2066 || r == 0xfffd {
			t.Errorf("%U at %d of %q", r, i, got)
		}
	}
	if !strings.Contains(got, "한글\tok\n") || !strings.Contains(got, `\u202eevil\u2066`) || !strings.Contains(got, `\xc2\x9b31m`) {
		t.Errorf("got %q", got)
	}
	if n := strings.Count(got, "\n"); n != 5 {
		t.Errorf("%d lines for 5 events", n)
	}
}
