package hclspec

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"collect/hclspec/internal/bounded"
)

// doubled declares n values of which each holds the last one twice.
func doubled(n int, first, next string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "locals {\n  l0 = %s\n", first)
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "  l%d = %s\n", i, strings.ReplaceAll(next, "@", fmt.Sprintf("local.l%d", i-1)))
	}
	fmt.Fprintf(&b, "}\noutput \"x\" { value = local.l%d }\n", n-1)
	return b.String()
}

// nested gives a for expression over r() in each other, n deep.
func nested(n int, body string) string {
	return strings.Repeat("[for x in range(1000) : ", n) + body + strings.Repeat("]", n)
}

// TestNoValueIsUnbounded loads configurations that would take all memory or all time if values had no bounds. Each gets one
// error, quickly, with little memory, also where try would hide it.
func TestNoValueIsUnbounded(t *testing.T) {
	x := func(e string) string { return "output \"x\" { value = " + e + " }\n" }
	big := "locals { big = join(\"\", [for a in range(3) : file(\"large.txt\")]) }\n"
	long := "locals { long = [for i in range(1000000 / 1000) : i] }\n"
	many := "locals { many = flatten([for a in range(1000) : [for b in range(10) : b]]) }\n"
	cases := map[string]struct{ text, want string }{
		"text doubled":             {doubled(60, `"0123456789"`, `"${@}${@}"`), "Too large"},
		"lists doubled":            {doubled(60, `[1]`, `[@, @]`), "Too large"},
		"lists in lists":           {doubled(2000, `[1]`, `[@]`), "Too large"},
		"concat doubled":           {doubled(60, `[1, 2]`, `concat(@, @)`), "Too large"},
		"join doubled":             {doubled(60, `"0123456789"`, `join(@, [@, @, @])`), "Error in function call"},
		"format doubled":           {doubled(60, `"0123456789"`, `format("%s%s", @, @)`), "Error in function call"},
		"numbers squared":          {doubled(60, `10`, `@ * @`), "Too large"},
		"a huge number":            {x(`"${1e999999999}"`), "Too large"},
		"a large number":           {x(`"n${1e99999999}"`), "Too large"},
		"a tiny number":            {x(`"${1e-99999999}"`), "Too large"},
		"a huge number by text":    {x(`"${tonumber("1e999999")}"`), "Too large"},
		"a huge number, formatted": {x(`format("%d", 1e999999999)`), "Too large"},
		"a number of many digits":  {x(`parseint(join("", [for i in range(1000) : join("", [for j in range(20) : "9999999999"])]), 10)`), "Invalid function argument"},
		"loops in loops":           {x(nested(5, "1")), "Too large"},
		"loops in loops, by try":   {x("try(" + nested(5, "1") + ", 1)"), "Too large"},
		"loops of templates":       {x(`"%{for a in range(1000)}%{for b in range(1000)}%{for c in range(1000)}0123456789%{endfor}%{endfor}%{endfor}"`), "Too large"},
		"a loop of objects":        {x("{ for a in range(1000) : a => " + nested(3, "1") + " }"), "Too large"},
		"a long template":          {big + x(`"`+strings.Repeat("${local.big}", 10000)+`"`), "Too large"},
		"a wide format":            {x(`format("%1000000000d", 1)`), "Error in function call"},
		"a precise format":         {x(`format("%.1000000000f", 1)`), "Error in function call"},
		"a repeated format":        {big + x(`format("`+strings.Repeat("%[1]s", 1000)+`", local.big)`), "Error in function call"},
		"a long list that differs": {x("sort([for i in range(1000) : [for j in range(100) : j == 7 ? \"x\" : j]]...)"), "Too large"},
		"a tuple that differs":     {x("join(\"\", flatten([for i in range(1000) : [1, 2, 3, 4, 5, \"a\", 7, true, 9, 10, 1, 2, 3, 4, 5, \"a\", 7, true, 9, 10, 1, 2, 3, 4, 5, \"a\", 7, true, 9, 10, 1, 2, 3, 4, 5, \"a\", 7, true, 9, 10, 1, 2, 3, 4, 5, \"a\", 7, true, 9, 10, 1, 2, 3, 4, 5, \"a\", 7, true, 9, 10]]))"), "Too large"},
		"two long tuples":          {many + x("length(length(local.many) > 1 ? flatten([local.many, local.many]) : [])"), "Too large"},
		"a variable of many":       {"variable \"v\" {\n  type    = list(string)\n  default = [" + strings.Repeat("1,\"a\",", 40000) + "]\n}\n", "Too large"},
		"a list of formats":        {x(`formatlist("%s%s", range(100), file("large.txt"))`), "Error in function call"},
		"an indent":                {x(`indent(1000000000, "a\nb")`), "Error in function call"},
		"a replacement":            {big + x(`replace(local.big, "0", local.big)`), "Error in function call"},
		"a replacement by text":    {x(`replace(join("", [for i in range(1000): "aaaaaaaaaa"]), "a", join("", [for i in range(1000): "0123456789"]))`), "Error in function call"},
		"a replaced pattern":       {x(`regexreplace(join("", [for i in range(1000): "aaaaaaaaaa"]), "a", join("", [for i in range(1000): "0123456789"]))`), "Error in function call"},
		"a replaced pattern, all":  {x(`replace(join("", [for i in range(1000): "aaaaaaaaaa"]), "/.*/", join("", [for i in range(1000): "$0$0$0$0$0"]))`), "Error in function call"},
		"a product":                {long + x(`setproduct(local.long, local.long, local.long)`), "Error in function call"},
		"a range":                  {x(`range(1000000000)`), "Error in function call"},
		"distinct of many":         {many + x(`length(distinct([for i, v in local.many : i]))`), ""},
		"yaml":                     {x(`yamldecode(file("lol.yaml"))`), "Invalid function argument"},
		"tries in tries":           {x(strings.Repeat("try(", 60) + "tonumber(\"x\")" + strings.Repeat(", tonumber(\"y\"))", 60)), "Error in function call"},
		"many agents":              {"agent \"a\" {\n count = 1000000000\n}\n", "Wrong type"},
		"topics again and again":   {manyCounts(), "Too large"},
		"dynamic in dynamic":       {"agent \"a\" {\n %CH%\n %SINK%\n dynamic \"source\" {\n  for_each = range(1000)\n  labels = [\"generator\", \"s${source.value}\"]\n  content {\n   dynamic \"route\" {\n    for_each = range(100)\n    iterator = it\n    content { drop = true }\n   }\n  }\n }\n}\n", "Too large"},
		"a default":                {"variable \"v\" {\n default = " + strings.Repeat("[for x in [0,1,2,3,4,5,6,7,8,9] : ", 12) + "1" + strings.Repeat("]", 12) + "\n}\n", "Too large"},
		"values of a file":         {"variable \"v\" {}\n-- collect.hclvars --\nv = " + strings.Repeat("[for x in [0,1,2,3,4,5,6,7,8,9] : ", 12) + "1" + strings.Repeat("]", 12) + "\n", "Too large"},
		"per event, folded":        {"agent \"a\" {\n %CH%\n %SINK%\n source \"generator\" \"g\" {\n  channels = [channel.c]\n  interceptor \"filter\" { keep = contains(" + nested(5, `"x"`) + ", event.body) }\n }\n}\n", "Too large"},
		"a template of itself":     {"output \"x\" { value = templatefile(\"t.tmpl\", {}) }\n-- t.tmpl --\n${templatefile(\"t.tmpl\", {})}", "Invalid function argument"},
		"a template of loops":      {"output \"x\" { value = templatefile(\"t.tmpl\", {}) }\n-- t.tmpl --\n${jsonencode(" + nested(5, "1") + ")}", "Too large"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeFiles(t, dir, shorthand.Replace(c.text)+"\n")
			lol := "a: &a [x,x,x,x,x,x,x,x,x]\n"
			for i := range 12 {
				lol += fmt.Sprintf("b%d: &b%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*b%d, ", i-1), 9), ", "))
			}
			writeFiles(t, dir, "-- lol.yaml --\n"+strings.Replace(lol, "*b-1", "*a", -1))
			if err := os.WriteFile(filepath.Join(dir, "large.txt"), []byte(strings.Repeat("0123456789\n", 90000)), 0o600); err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			o := options(dir)
			o.limits = &bounded.Limits{Text: 16 << 20, Elements: 100_000, Work: 10_000_000, Kept: 4_000_000, KeptText: 64 << 20, Blocks: 2000}
			_, diags := Load(o)
			runtime.ReadMemStats(&after)
			got := ""
			for _, d := range diags {
				got = d.Summary
			}
			if got != c.want || len(diags) > 1 {
				t.Errorf("got %d diagnostics, want one: %s", len(diags), c.want)
				for _, d := range diags[:min(len(diags), 5)] {
					t.Errorf("%.300s", say(d))
				}
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 1<<30 {
				t.Errorf("allocated %d MiB", used>>20)
			}
		})
	}
}

func manyCounts() string {
	var b strings.Builder
	for i := range 10 {
		fmt.Fprintf(&b, "topic \"t%d\" {\n  count = 500\n  name  = \"t%d-${count.index}\"\n}\n", i, i)
	}
	return b.String()
}

func TestFilesThatAreNoFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "large"), make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for e, want := range map[string]string{
		`file("dir")`:                  "not a regular file",
		`file("pipe")`:                 "not a regular file",
		`file("/dev/zero")`:            "not a regular file",
		`file("large")`:                "larger than 1 MiB",
		`file("missing")`:              "no such file",
		`secretfile("pipe")`:           "not a regular file",
		`templatefile("/dev/zero",{})`: "not a regular file",
		`fileset("/", "**/*")`:         "holds more than",
	} {
		writeFiles(t, dir, "output \"x\" { value = "+e+" }\n")
		_, diags := Load(options(dir))
		if len(diags) == 0 || !strings.Contains(diags[len(diags)-1].Detail, want) && !strings.Contains(diags[0].Detail, want) {
			t.Errorf("%s: got %v, want %s", e, diags, want)
		}
	}
}
