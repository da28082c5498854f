package jsontext

import (
	"bytes"
	"strings"
	"testing"
)

func TestDeepJSONIsRefused(t *testing.T) {
	body := bytes.Repeat([]byte("["), 16<<20)
	if err := Check(body); err != ErrDepth {
		t.Errorf("got %v", err)
	}
	for depth, want := range map[int]error{64: nil, 65: ErrDepth} {
		text := strings.Repeat("[", depth) + strings.Repeat("]", depth)
		if err := Check([]byte(text)); err != want {
			t.Errorf("depth %d: got %v", depth, err)
		}
	}
}
