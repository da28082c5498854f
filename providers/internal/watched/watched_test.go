package watched

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"collect/runtime/flow"
	"collect/runtime/flow/host"
)

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func openDir(t testing.TB, name string) flow.Dir {
	t.Helper()
	d, err := host.FS().OpenDir(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func TestGuard(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	for name, tt := range map[string]struct {
		mode    os.FileMode
		folder  int
		owner   int
		links   bool
		refused bool
	}{
		"own file in an own folder":                    {0o700, 0, 0, false, false},
		"foreign file in an own folder":                {0o755, 0, 12345, false, false},
		"second name in an own folder":                 {0o755, 0, 0, true, false},
		"own file in a shared folder":                  {0o777, 0, 0, false, false},
		"foreign file in a shared folder":              {0o777, 0, 12345, false, true},
		"second name in a shared folder":               {0o777, 0, 0, true, true},
		"foreign file in a group's folder":             {0o770, 0, 12345, false, true},
		"another user's file in his folder":            {0o755, 12345, 12345, false, false},
		"second name of his file in his folder":        {0o755, 12345, 12345, true, false},
		"own file in another user's folder":            {0o755, 12345, 0, false, false},
		"second name of ours in another user's folder": {0o755, 12345, 0, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			full := filepath.Join(dir, "a")
			write(t, full, "x")
			err := errors.Join(os.Chown(full, tt.owner, -1), os.Chown(dir, tt.folder, -1), os.Chmod(dir, tt.mode))
			if tt.links {
				err = errors.Join(err, os.Link(full, filepath.Join(t.TempDir(), "b")))
			}
			if err != nil {
				t.Fatal(err)
			}
			g := NewGuard(flow.Env{FS: host.FS(), Dir: t.TempDir()})
			f, _, err := g.Open(openDir(t, dir), "a")
			if errors.Is(err, ErrRefused) != tt.refused || err == nil == tt.refused {
				t.Errorf("got %v", err)
			}
			if f != nil {
				_ = f.Close()
			}
		})
	}
}

func TestANoteKnowsItsContentAgain(t *testing.T) {
	text := strings.Repeat("equal head\n", 200) + "one\n"
	src := strings.NewReader(text)
	n := &Note{Name: "/a", Path: "/b", Dev: 1, Ino: 2, State: "reading", Packed: true}
	if err := errors.Join(n.LearnHead(src), n.LearnTail(src, int64(len(text)))); err != nil {
		t.Fatal(err)
	}
	back, err := DecodeNote(n.Encode())
	if diff := cmp.Diff(n, back); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	for name, tt := range map[string]struct {
		text string
		want bool
	}{
		"itself":           {text, true},
		"it grew":          {text + "more", true},
		"it was cut":       {text[:len(text)-1], false},
		"another end":      {strings.Repeat("equal head\n", 200) + "two\n", false},
		"another head":     {"X" + text[1:], false},
		"nothing":          {"", false},
		"only a beginning": {text[:500], false},
	} {
		if got, err := NewContent(strings.NewReader(tt.text)).Is(back); got != tt.want || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := DecodeNote([]byte("{")); err == nil {
		t.Error("a torn note was read")
	}
}

func TestAShortHeadIsLearnedAgainButNeverOfAnotherFile(t *testing.T) {
	n := &Note{}
	for _, text := range []string{"ab", "abcd", strings.Repeat("abcd", 1000)} {
		if err := n.LearnHead(strings.NewReader(text)); err != nil || n.HeadLen != min(len(text), HeadLen) {
			t.Fatal(n.HeadLen, err)
		}
	}
	short := &Note{}
	_ = short.LearnHead(strings.NewReader("ab"))
	if err := short.LearnHead(strings.NewReader("xyz")); err != nil || short.HeadLen != 2 {
		t.Errorf("the head of a file that was cut was learned: %d bytes, %v", short.HeadLen, err)
	}
}

func TestPrefix(t *testing.T) {
	a := strings.Repeat("0123456789", 500)
	for name, tt := range map[string]struct {
		b    string
		want bool
	}{
		"a beginning":  {a[:3000], true},
		"all":          {a, true},
		"another end":  {a[:2990] + "abcdefghij", false},
		"another head": {"x" + a[1:3000], false},
	} {
		if got, err := Prefix(strings.NewReader(a), strings.NewReader(tt.b), int64(len(tt.b))); got != tt.want || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func pack(t testing.TB, kind, text string) []byte {
	t.Helper()
	var buf bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&buf)
	if kind == ".zst" {
		z, err := zstd.NewWriter(&buf)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	}
	_, err := io.WriteString(w, text)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestPackedReadsAtAnyPosition(t *testing.T) {
	text := strings.Repeat("0123456789abcdef", 40000)
	for _, kind := range []string{".gz", ".zst"} {
		raw := pack(t, kind, text)
		name := "a" + kind
		if is, err := IsPacked(name, bytes.NewReader(raw)); !is || err != nil {
			t.Fatal(is, err)
		}
		p := NewPacked(name, bytes.NewReader(raw), int64(len(raw)), 1000)
		for _, off := range []int64{0, 5, 100, 500_000, 499_990, 600_000, 0, int64(len(text)) - 3, int64(len(text)) + 10} {
			buf := make([]byte, 100)
			n, err := p.ReadAt(buf, off)
			want := text[min(off, int64(len(text))):min(off+100, int64(len(text)))]
			if string(buf[:n]) != want || (n < 100) != errors.Is(err, io.EOF) {
				t.Errorf("%s at %d: %d bytes, %v", kind, off, n, err)
			}
		}
		if p.Torn() != nil {
			t.Error(p.Torn())
		}
		p.Close()
	}
	if is, _ := IsPacked("a.gz", strings.NewReader("plain text")); is {
		t.Error("plain text was taken for compressed")
	}
}

func TestATornPackedFileSaysSo(t *testing.T) {
	text := strings.Repeat("0123456789abcdef", 40000)
	for _, kind := range []string{".gz", ".zst"} {
		raw := pack(t, kind, text)
		for _, n := range []int{0, 3, len(raw) / 2, len(raw) - 1} {
			p := NewPacked("a"+kind, bytes.NewReader(raw), int64(n), 1000)
			got, err := io.ReadAll(io.NewSectionReader(p, 0, int64(len(text))+1))
			if err != nil || !strings.HasPrefix(text, string(got)) || p.Torn() == nil && !(kind == ".zst" && n == 0) {
				t.Errorf("%s cut at %d: %d bytes, %v, torn %v", kind, n, len(got), err, p.Torn())
			}
			p.Close()
		}
	}
}

func FuzzPacked(f *testing.F) {
	f.Add(pack(f, ".gz", "hello"))
	f.Add(pack(f, ".zst", "hello"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, kind := range []string{".gz", ".zst"} {
			p := NewPacked("a"+kind, bytes.NewReader(raw), int64(len(raw)), 100)
			if _, err := io.Copy(io.Discard, io.NewSectionReader(p, 0, 1<<20)); err != nil {
				t.Error(err)
			}
			p.Close()
		}
	})
}

func TestANoteKeepsNamesThatAreNoText(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"/log/plain", "/log/two\nlines", "/\xb7\xce\xb1\xd7/\xc2\xf7.log", "/log/caf\xe9"} {
		want := &Note{Path: name, Name: name + ".1", Ino: 7}
		got, err := DecodeNote(want.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", name, diff)
		}
	}
}
