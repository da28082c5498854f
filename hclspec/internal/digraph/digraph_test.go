package digraph

import (
	"fmt"
	"strconv"
	"testing"
)

func TestCycles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edges [][2]string
		want  string
	}{
		"none":                      {[][2]string{{"a", "b"}, {"b", "c"}, {"a", "c"}}, "[]"},
		"a node with itself":        {[][2]string{{"a", "b"}, {"b", "b"}}, "[[1]]"},
		"three nodes":               {[][2]string{{"x", "a"}, {"a", "b"}, {"b", "c"}, {"c", "a"}}, "[[1 2 3]]"},
		"one of two that share one": {[][2]string{{"a", "b"}, {"b", "a"}, {"b", "c"}, {"c", "b"}}, "[[0 1]]"},
		"two apart":                 {[][2]string{{"a", "b"}, {"b", "a"}, {"c", "d"}, {"d", "c"}}, "[[0 1] [2 3]]"},
	} {
		if got := fmt.Sprint(Cycles(c.edges)); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestALongCircleNeedsNoDeepStack(t *testing.T) {
	t.Parallel()
	const n = 200_000
	edges := make([][2]string, n)
	for i := range edges {
		edges[i] = [2]string{strconv.Itoa(i), strconv.Itoa((i + 1) % n)}
	}
	if got := Cycles(edges); len(got) != 1 || len(got[0]) != n {
		t.Errorf("got %d circles", len(got))
	}
}
