package resource

import (
	"testing"
	"time"
)

func TestFiguresHaveUnits(t *testing.T) {
	for got, want := range map[string]string{
		Number(0): "0", Number(999): "999", Number(1004): "1,004", Number(-1234567): "-1,234,567",
		Events(1): "1 event", Events(12345): "12,345 events",
		Size(0): "0 B", Size(1023): "1023 B", Size(64 << 20): "64 MiB", Size(2202010): "2.1 MiB", Size(1 << 30): "1 GiB", Size(38*1<<20 + 5): "38 MiB", Size(1<<20 - 1): "1 MiB",
		Span(12 * time.Millisecond): "12 ms", Span(400 * time.Millisecond): "0.4 s", Span(3 * time.Second): "3 s", Span(41 * time.Second): "41 s", Span(100 * time.Second): "1 m 40 s",
		Span(3*time.Hour + 12*time.Minute + 5*time.Second): "3 h 12 m", Span(51 * time.Hour): "2 d 3 h", Span(time.Hour): "1 h",
		Rate(0): "0/s", Rate(0.31): "0.3/s", Rate(1004.4): "1,004/s",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
