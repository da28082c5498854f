package functions

import (
	"runtime"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
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

func TestPlanTimeDecodersRefuseHostileText(t *testing.T) {
	fs := Table()
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := range 8 {
		c, p := string(rune('b'+i)), string(rune('a'+i))
		bomb += c + ": &" + c + " [" + strings.Repeat("*"+p+",", 8) + "*" + p + "]\n"
	}
	for name, c := range map[string]struct{ fn, text string }{
		"json brackets":   {"jsondecode", strings.Repeat("[", hostileSize)},
		"json objects":    {"jsondecode", strings.Repeat(`{"a":`, hostileSize/5)},
		"yaml brackets":   {"yamldecode", strings.Repeat("[", hostileSize)},
		"yaml braces":     {"yamldecode", strings.Repeat("{a: ", hostileSize/4)},
		"yaml dashes":     {"yamldecode", strings.Repeat("- ", hostileSize/2)},
		"yaml indents":    {"yamldecode", deepYAML(200)},
		"yaml alias bomb": {"yamldecode", bomb},
		"long pattern":    {"regex", strings.Repeat("a", 5000)},
	} {
		within(t, name, func() {
			args := []cty.Value{cty.StringVal(c.text)}
			if c.fn == "regex" {
				args = append(args, cty.StringVal("a"))
			}
			if _, err := fs[c.fn].Cty.Call(args); err == nil {
				t.Errorf("%s is accepted", name)
			}
		})
	}
}

func deepYAML(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func TestOrdinaryYAMLIsAccepted(t *testing.T) {
	t.Parallel()
	f := Table()["yamldecode"].Cty
	for _, text := range []string{
		"a: 1\nb: [x, {c: d}]\n", "base: &b {x: 1}\none:\n  <<: *b\ntwo: *b\n", "- a\n- - b\n  - c\n", "t: |\n  some [ text {\n     deeper\n",
		"a: &a {x: 1}\nb: *a\nc: &c {y: 2}\nd: *c\n",
	} {
		if _, err := f.Call([]cty.Value{cty.StringVal(text)}); err != nil {
			t.Errorf("%q: %s", text, err)
		}
	}
}
