package render

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"collect/planner"
	"collect/planner/resource"
)

func TestLongListsAreShownElementByElement(t *testing.T) {
	paths := func(names ...string) []any {
		var out []any
		for _, n := range names {
			out = append(out, "/var/log/applications/"+n+".log")
		}
		return out
	}
	many := func(from, to int) []any {
		var out []any
		for i := range to - from {
			out = append(out, fmt.Sprintf("element-%04d", from+i))
		}
		return out
	}
	screen(t, "plan_lists", func(w *Writer) {
		w.Plan(&planner.Plan{Installation: installation(), Steps: make([]planner.Step, 2), Changes: []*resource.Change{
			{
				Address: "agent.a", Kind: "agent", Action: resource.Create,
				Detail: labels("source.l", "tail.l"),
				Items: []resource.Item{
					{Path: "source.l.include", After: paths("one", "two", "three", "four")},
					{Path: "source.l.exclude", After: paths("one")},
				},
			},
			{
				Address: "agent.b", Kind: "agent", Action: resource.Update, Note: "running 1 h, 5 events/s; stays up, same process",
				Detail: labels("source.l", "tail.l"),
				Items: []resource.Item{
					{Path: "source.l.include", Action: resource.Update, Before: paths("one", "two", "three", "four"), After: paths("one", "three", "five", "four"), Note: "swap: goes on where it stopped", Place: "main.hcl:9"},
					{Path: "source.l.exclude", Action: resource.Update, Before: []any{"a"}, After: []any{"a", "b"}, Place: "main.hcl:10"},
					{Path: "source.l.labels", Action: resource.Update, Before: map[string]any{"stays": "x", "goes": strings.Repeat("g", 80)}, After: map[string]any{"stays": "x", "comes": strings.Repeat("c", 80), "by": map[string]any{"ref": "topic.t"}}},
					{Path: "source.l.when", Action: resource.Update, Before: map[string]any{"expr": strings.Repeat("e", 80)}, After: map[string]any{"expr": strings.Repeat("f", 80)}},
					{Path: "source.l.columns", Action: resource.Create, After: many(0, 60)},
					{Path: "source.l.secrets", Action: resource.Update, Sensitive: true, Before: paths("one", "two", "three"), After: paths("three", "two", "one")},
				},
			},
		}})
	})
}

func TestComparedListsShowWhatGoesAndComes(t *testing.T) {
	for name, c := range map[string]struct{ was, is, want string }{
		"the same":                  {"a b c", "a b c", ""},
		"one in the middle goes":    {"a b c", "a c", "-b"},
		"one comes at the end":      {"a b", "a b c", "+c"},
		"what moves goes and comes": {"a b c", "c a b", "+c -c"},
		"one is exchanged":          {"a b c", "a x c", "-b +x"},
		"one of two equal ones":     {"a a", "a", "-a"},
		"all go":                    {"a b", "", "-a -b"},
		"all come":                  {"", "a b", "+a +b"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, e := range compare(strings.Fields(c.was), strings.Fields(c.is)) {
				symbol, _ := look(e.action)
				got = append(got, symbol+e.text)
			}
			if d := cmp.Diff(c.want, strings.Join(got, " ")); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestComparingLongListsIsBounded(t *testing.T) {
	var was, is []string
	for i := range 5000 {
		was, is = append(was, fmt.Sprint("w", i)), append(is, fmt.Sprint("i", i))
	}
	if n := len(compare(was, is)); n != 10000 {
		t.Errorf("%d elements", n)
	}
}
