package graph

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestOrderAndCircles(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 12).Draw(rt, "nodes")
		g := New(n)
		reach := make([][]bool, n)
		for i := range reach {
			reach[i] = make([]bool, n)
			reach[i][i] = true
		}
		for range rapid.IntRange(0, 20).Draw(rt, "edges") {
			if n > 0 {
				a, b := rapid.IntRange(0, n-1).Draw(rt, "a"), rapid.IntRange(0, n-1).Draw(rt, "b")
				g.After(a, b)
				reach[a][b] = true
			}
		}
		for k := range n {
			for i := range n {
				for j := range n {
					reach[i][j] = reach[i][j] || reach[i][k] && reach[k][j]
				}
			}
		}
		circle := g.Circles()
		for i := range n {
			for j := range n {
				if (circle[i] == circle[j]) != (reach[i][j] && reach[j][i]) {
					rt.Fatalf("%d and %d: circles %v, edges %v", i, j, circle, g.after)
				}
			}
		}
		order := g.Order()
		for at, v := range order {
			for _, b := range g.Before(v) {
				if i := slices.Index(order, b); i < 0 || i > at {
					rt.Fatalf("%d does not come after %d in %v", v, b, order)
				}
			}
		}
	})
}

func TestALongChainNeedsNoDeepStack(t *testing.T) {
	const n = 1_000_000
	g := New(n)
	for i := 1; i < n; i++ {
		g.After(i, i-1)
	}
	if got := g.Order(); len(got) != n || got[n-1] != n-1 {
		t.Fatalf("order of %d", len(got))
	}
	if c := g.Circles(); c[0] == c[n-1] {
		t.Fatal("a chain is no circle")
	}
}

func TestMermaid(t *testing.T) {
	p := Picture{
		Groups: []Group{
			{Title: "agent.a", Boxes: []Box{{"s", "tail.log", Round}, {"c", "disk.all", Cylinder}, {"k", "kafka.k", Rect}}},
			{Boxes: []Box{{"t", "topic.t", Queue}}},
		},
		Arrows: []Arrow{{From: "s", To: "c", Label: `event.body == "a|b" && true`}, {From: "c", To: "k"}, {From: "k", To: "t", Dotted: true}},
	}
	var b strings.Builder
	if err := p.Mermaid(&b); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "picture.mmd")
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || b.String() != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s%v", b.String(), want, err)
	}
}

func TestMermaidTextCannotBecomeMarkup(t *testing.T) {
	hostile := "x\"] --> evil; <script>alert(1)</script>\n%%{init: {}}%%\x1b]8;;http://e\x07 \u202e `md`"
	p := Picture{Groups: []Group{{Title: hostile, Boxes: []Box{{hostile, hostile, Rect}}}}, Arrows: []Arrow{{From: hostile, To: "b", Label: hostile}}}
	var b strings.Builder
	if err := p.Mermaid(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Count(b.String(), "\n") != 5 {
		t.Errorf("lines were added:\n%q", b.String())
	}
	for _, bad := range []string{"<", "\x1b", "\u202e", "`", "] -", "\\"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("%q is left in:\n%s", bad, b.String())
		}
	}
}
