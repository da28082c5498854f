package roll

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"collect/hclspec/expr"
	"collect/hclspec/schema"
	"collect/providers/internal/codec"
	"collect/providers/providertest"
	"collect/runtime/flow"
)

func parse(t testing.TB, src string, file bool) *Path {
	t.Helper()
	p, err := ParsePath(schema.Expr{Src: src}, file)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func value(t testing.TB, p *Path, v string) string {
	t.Helper()
	b := flow.NewPool(0).GetSized(64)
	b.Begin("key", 0, nil)
	b.AddBody([]byte("x"), 1)
	b.SetHeaders(0, flow.Header{Name: "v", Value: []byte(v)})
	var ev flow.Event
	var s expr.Scratch
	ev.Seek(b, 0)
	out, err := p.Append(nil, &ev, &s)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestValuesStaySegments(t *testing.T) {
	p := parse(t, `"/root/dir/k=${event.headers.v}/f.log"`, true)
	whole := parse(t, `"/root/${event.headers.v}"`, false)
	if p.Root != "/root/dir" || whole.Root != "/root" {
		t.Errorf("roots %s, %s", p.Root, whole.Root)
	}
	for in, want := range map[string]string{
		"a":             "a",
		"a b-c.d":       "a b-c.d",
		"":              "%empty",
		".":             "%2E",
		"..":            "%2E%2E",
		"...":           "...",
		"../../etc/x":   "..%2F..%2Fetc%2Fx",
		"/abs":          "%2Fabs",
		`a\b`:           "a%5Cb",
		"%2e%2e":        "%252e%252e",
		"%empty":        "%25empty",
		"a\x00b\n\x7f":  "a%00b%0A%7F",
		"\xff\xc3":      "%FF%C3",
		"한글":            "한글",
		"\u202ea\u200b": "%E2%80%AEa%E2%80%8B",
		"a:b":           "a:b",
	} {
		if got := value(t, whole, in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
	if got := value(t, p, ".."); got != "k=../f.log" {
		t.Errorf("got %q", got) // k=.. is an ordinary name
	}
	h, err := ParsePath(schema.Expr{Src: `"hdfs://nn:8020/root/${event.headers.v}"`}, false)
	if err != nil || h.URL() != "hdfs://nn:8020/root" {
		t.Fatalf("%+v %v", h, err)
	}
	if got := value(t, h, "12:30"); got != "12%3A30" {
		t.Errorf("got %q: HDFS has no colons in names", got)
	}
	long := strings.Repeat("한", 200)
	one, two := value(t, whole, long+"1"), value(t, whole, long+"2")
	if one == two || len(one) > maxSegment || !utf8.ValidString(one) {
		t.Errorf("%d bytes: %q, %q", len(one), one, two)
	}
}

// hostile makes values of the kinds that have broken other programs, from a seed.
func hostile(r *rand.Rand) string {
	pieces := []string{"..", ".", "/", "\\", "%2e", "%2f", "%", "\x00", "\n", "etc", "passwd", "link", "\xff", "\u202e", "C:", "~", "$HOME", "${x}", "*", "a", strings.Repeat("x", 90), "%empty", "．．", "∕"}
	var b strings.Builder
	for range r.IntN(8) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

func checkLocal(t testing.TB, in, rel string, segments int) {
	t.Helper()
	parts := strings.Split(rel, "/")
	if len(parts) != segments || !filepath.IsLocal(rel) {
		t.Fatalf("%q became %q", in, rel)
	}
	for _, p := range parts {
		if p == "" || p == "." || p == ".." || len(p) > maxSegment || !utf8.ValidString(p) || strings.ContainsFunc(p, func(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }) {
			t.Fatalf("%q became %q", in, rel)
		}
	}
}

// No header leaves the root, and different headers do not meet.
func TestTenThousandHostileHeadersStayBelowTheRoot(t *testing.T) {
	p := parse(t, `"/root/a/${event.headers.v}/b-${event.headers.v}${event.headers.v}/f.log"`, true)
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[string]string{}
	for range 10_000 {
		in := hostile(r)
		rel := value(t, p, in)
		checkLocal(t, in, rel, 3)
		if old, ok := seen[rel]; ok && old != in {
			t.Fatalf("%q and %q both became %q", old, in, rel)
		}
		seen[rel] = in
	}
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"..", "/", "", "%", "\xff", strings.Repeat("é", 100)} {
		f.Add(s)
	}
	p := parse(f, `"/root/${event.headers.v}/x${event.headers.v}"`, false)
	f.Fuzz(func(t *testing.T, in string) { checkLocal(t, in, value(t, p, in), 2) })
}

func newSink(t *testing.T, p *Path, env flow.Env, o Options) *Sink {
	t.Helper()
	c, err := codec.New("text", "escape")
	if err != nil {
		t.Fatal(err)
	}
	o.Path, o.Codec, o.FileNamed = p, c, true
	o.Files.Random = env.Rand.Read
	o.Final = func(n Name) string {
		stem, ext := SplitExt(n.Base)
		if n.Part > 0 {
			return fmt.Sprintf("%s-%s-%d%s", stem, n.Unique, n.Part, ext)
		}
		return stem + "-" + n.Unique + ext
	}
	o.Backend = func(url string) (Backend, error) {
		return Local{NewTree(env.FS, strings.TrimPrefix(url, "file://"))}, nil
	}
	return New(o, env)
}

// Links inside the root lead nowhere, and names that cannot be made are those events' own fault.
func TestHostileHeadersMakeNoFileOutside(t *testing.T) {
	top := t.TempDir()
	root, outside := top+"/root", top+"/outside"
	for _, d := range []string{root, outside} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, root+"/link"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root+"/etc", []byte("a file, not a directory"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := providertest.Env(t)
	d := providertest.Open(t, newSink(t, parse(t, `"`+root+`/${event.headers.v}/f-${event.headers.v}.log"`, true), env, Options{MaxOpen: 20}), env)
	r := rand.New(rand.NewPCG(3, 4))
	const n = 120
	for i := range n {
		v := hostile(r)
		if i%20 == 0 {
			v = []string{"link", "etc"}[i/20%2]
		}
		d.Must([]string{"event"}, flow.Header{Name: "v", Value: []byte(v)})
	}
	d.Flush()
	d.Close()
	lines, refused := 0, 0
	for seq := uint64(1); seq <= n; seq++ {
		res, ok := d.Result(seq)
		if !ok || res.Err != nil {
			t.Errorf("batch %d: %+v", seq, res)
		}
		for _, e := range res.Events {
			if !flow.IsPermanent(e.Err) {
				t.Errorf("batch %d: %v", seq, e.Err)
			}
			refused++
		}
	}
	err := filepath.WalkDir(root, func(p string, e os.DirEntry, err error) error {
		if err == nil && p != root+"/etc" && e.Type().IsRegular() {
			raw, rerr := os.ReadFile(p)
			lines += bytes.Count(raw, []byte("\n"))
			return rerr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if refused < 6 || lines+refused != n {
		t.Errorf("%d written, %d refused, of %d", lines, refused, n)
	}
	if all, _ := os.ReadDir(outside); len(all) > 0 {
		t.Errorf("outside: %v", all)
	}
	if all, _ := os.ReadDir(top); len(all) != 2 {
		t.Errorf("beside the root: %v", all)
	}
}

// Events make ten thousand new directories within an hour at most. What is over that is the events' own fault, and directories that
// exist take theirs as before.
func TestEventsCannotMakeDirectoriesWithoutEnd(t *testing.T) {
	root := t.TempDir()
	env := providertest.Env(t)
	tree := NewTree(env.FS, root)
	if err := tree.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	within := func(dir string) error { return tree.Within(dir, true, func(flow.Dir) error { return nil }) }
	tree.budget = DirBudget{since: time.Now(), made: maxNewDirs - 1}
	if err := within("last"); err != nil {
		t.Error(err)
	}
	if err := within("more"); !errors.Is(err, ErrTooManyDirs) {
		t.Errorf("got %v", err)
	}
	if err := within("last"); err != nil {
		t.Error(err)
	}
	tree.budget.since = time.Now().Add(-time.Hour)
	if err := errors.Join(within("more"), tree.Close()); err != nil {
		t.Error(err)
	}
}
