package scan

import (
	"bytes"
	"regexp"
	"regexp/syntax"
	"slices"
	"testing"
)

// scanPatterns are patterns with what is expected of them: true where the quick way is meant to take them.
func scanPatterns() map[string]bool {
	return map[string]bool{
		`^\d{14}`: true, `status=(WARN|ERROR)`: true, `^(\d{4})-(\d{2})-(\d{2})`: true, `[^,]*,[^,]*$`: true,
		`^([^,]*),([^,]*),(.*)$`: true, `(?i)error`: true, `level=(?P<level>[A-Z]+) `: true, `^a(?:bc)*d`: true,
		`^a(?:b,)+c`: true, `^x(y)?z$`: true, `é[a-z]+`: true, `car|bus`: true, `^(?:GET|POST|PUT) (\S+) `: true,
		`"([^"]*)"`: true, `^\s*$`: true, `a{2,3}b`: true, `(ab){2}`: true, `[a-c]*?d`: true, `^[A-Z]\d{4}$`: true,
		`a+`: true, `^$`: true, `x(?:1|2|)y`: true, `^(?:(a)|(b))*c`: true,
		`a*`: false, `a+a`: false, `(a|ab)c`: true, `\bword`: false, `[é]`: true, `[éa]`: false, `[^,]`: false, `(?i)k`: false,
		`a??`: false, `(?:ab)?`: false, `a.c`: false, `(?m)^x`: false, `a|ab`: false, `.*foo`: false, `^.+\d$`: false,
	}
}

func TestScannerTakesWhatItShould(t *testing.T) {
	t.Parallel()
	for p, want := range scanPatterns() {
		if got := scannerFor(p) != nil; got != want {
			t.Errorf("%s: quick way %v, want %v", p, got, want)
		}
	}
}

func scannerFor(pattern string) *Scanner {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	return New(tree)
}

// sameMatch holds a Scanner against package regexp.
func sameMatch(t *testing.T, pattern string, text []byte) {
	t.Helper()
	re, err := regexp.Compile(pattern)
	if err != nil {
		return
	}
	sc := scannerFor(pattern)
	if sc == nil {
		return
	}
	want := re.FindSubmatchIndex(text)
	got, sure := sc.Find(text, nil)
	if sure && !slices.Equal(got, want) {
		t.Errorf("%q on %q: got %v, want %v", pattern, text, got, want)
	}
	if ok, sure := sc.Match(text); sure && ok != (want != nil) {
		t.Errorf("%q on %q: match %v, want %v", pattern, text, ok, want != nil)
	}
}

func TestScannerFindsWhatRegexpFinds(t *testing.T) {
	t.Parallel()
	texts := []string{
		"", "20261122173922,B0042,1", "2026112217392", "x status=WARN y", "status=WAR status=ERROR", "2026-11-22", "a,b", "a,b,c,d",
		"ErRoR", "level=INFO x", "abcbcd", "abcbd", "ab,b,c", "xz", "xyz", "xyyz", "é\xc3éabc", "\xc3\xa9x", "a bus", "GET /x HTTP", "PUT  ",
		`say "hi" and "ho"`, " \t", "aab", "aaaab", "abab", "aba", "aabbd", "B0042", "B0042\n", "xy", "x1y", "x12y", "abbac", "c", "ac", "bac",
		"\xff\xfe,\xff,", "日本,語",
	}
	for p := range scanPatterns() {
		for _, text := range texts {
			sameMatch(t, p, []byte(text))
		}
	}
}

func TestScannerGivesUpBeforeQuadraticTime(t *testing.T) {
	t.Parallel()
	sc := scannerFor(`[a-w]+x`)
	if _, sure := sc.Match(bytes.Repeat([]byte("a"), 1<<20)); sure {
		t.Error("it worked through a million beginnings")
	}
}

func FuzzScanner(f *testing.F) {
	for p := range scanPatterns() {
		f.Add(p, []byte("20261122 status=WARN,abc"))
		f.Add(p, []byte("aab é\xc3 abab,\n"))
	}
	f.Fuzz(func(t *testing.T, pattern string, text []byte) {
		if len(pattern) < 200 && len(text) < 2000 {
			sameMatch(t, pattern, text)
		}
	})
}
