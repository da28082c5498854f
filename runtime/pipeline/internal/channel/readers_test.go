package channel

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConsumersOfAnOlderListAreTakenOver(t *testing.T) {
	s := decodeSeats([]byte("main\n"))
	if got := s.with([]string{"sink.a"}); got["sink.a"] != "main" {
		t.Errorf("a single reader after a single one: %v", got)
	}
	s = decodeSeats([]byte("sink.a\nsink.b\n"))
	if got := s.with([]string{"sink.b", "sink.c"}); got["sink.b"] != "sink.b" || got["sink.c"] != "sink.c" {
		t.Errorf("readers beside others: %v", got)
	}
	s = seats{"sink.new": "sink.a"}
	if got := s.with([]string{"sink.a", "sink.new"}); got["sink.a"] == "sink.a" || got["sink.new"] != "sink.a" {
		t.Errorf("a name that another has: %v", got)
	}
	if got := decodeSeats(s.encode()); !cmp.Equal(got, s) {
		t.Errorf("read again: %v", got)
	}
}
