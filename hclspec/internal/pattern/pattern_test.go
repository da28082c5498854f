package pattern

import (
	"bytes"
	"testing"
)

func TestTheGeneralWayAnswersWhereTheQuickOneIsNotSure(t *testing.T) {
	t.Parallel()
	p, err := Compile(`[a-w]+x`)
	if err != nil || p.fast == nil || p.Match(bytes.Repeat([]byte("a"), 1<<20)) {
		t.Error("a million beginnings without an end are no match", err)
	}
}
