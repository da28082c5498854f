package tail

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

func TestCopyTruncate(t *testing.T) {
	t.Parallel()
	for _, included := range []bool{false, true} {
		t.Run(fmt.Sprint("copy included ", included), func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "app.log")
			cfg := config(name)
			if included {
				cfg = config(name + "*")
			}
			env := providertest.Env(t)
			out, r := follow(t, cfg, env)
			var want []string
			for i := range 5 {
				text, bodies := numbered(len(want), 100)
				want = append(want, bodies...)
				appendTo(t, name, text)
				out.Wait(len(want))
				raw, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				appendTo(t, fmt.Sprintf("%s.%d", name, i), string(raw))
				if err := os.Truncate(name, 0); err != nil {
					t.Fatal(err)
				}
			}
			files := 1
			if included {
				files = 6
			}
			untilDecided(t, env, files)
			r.Stop()
			equal(t, want, out.Bodies())
		})
	}
}

func TestLinesThatOnlyTheCopyHoldsAreRead(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "app.log")
	cfg := config(name + "*")
	env := providertest.Env(t)
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions))
	text, want := numbered(0, 100)
	appendTo(t, name, text)
	r := providertest.Start(t, providertest.Make(t, New, cfg, env), out)
	out.Wait(100)
	r.Stop()
	// While nobody reads, lines come, the file is copied and cut, and others come.
	more, bodies := numbered(100, 50)
	want = append(want, bodies...)
	appendTo(t, name+".1", text+more)
	if err := os.Truncate(name, 0); err != nil {
		t.Fatal(err)
	}
	last, bodies := numbered(150, 50)
	want = append(want, bodies...)
	appendTo(t, name, last)
	env = again(env)
	second, r := follow(t, cfg, env)
	second.Wait(100)
	untilDecided(t, env, 2)
	r.Stop()
	got := append(out.Bodies(), second.Bodies()...)
	slices.Sort(got)
	equal(t, want, got)
}

func TestACutFileThatGrewAgainIsNoticed(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "app.log")
	head := strings.Repeat("equal head of all files\n", 100)
	appendTo(t, name, head+"first\n")
	out, r := follow(t, config(name), providertest.Env(t))
	out.Wait(101)
	// It is cut and grows beyond its old size before anybody looks.
	if err := os.WriteFile(name, []byte(head+"other\nand more\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out.Wait(203)
	r.Stop()
	if got := out.Bodies(); len(got) != 203 || got[201] != "other" || got[202] != "and more" {
		t.Errorf("%d events: %q", len(got), got[len(got)-2:])
	}
}

func TestAFileThatIsReplacedInPlaceIsReadAnew(t *testing.T) {
	t.Parallel()
	end := strings.Repeat("the same end\n", 10)
	old := "yesterday\n" + end
	for name, text := range map[string]string{
		"of the same size":                   "yesterday\n" + strings.Repeat("another end.\n", 10),
		"of the same size, and the same end": "yesterdaz\n" + end,
		"of a smaller size":                  "short\n",
		"of a larger size":                   strings.Repeat("another text\n", 20),
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "app.log")
			appendTo(t, file, old)
			out, r := follow(t, config(file), providertest.Env(t))
			out.Wait(11)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			want := append(out.Bodies(), strings.Split(strings.TrimSuffix(text, "\n"), "\n")...)
			out.Wait(len(want))
			r.Stop()
			equal(t, want, out.Bodies())
		})
	}
}

// Clocks of network file systems jump: a time that changes is no change of content.
func TestTimesThatJumpChangeNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "app.log")
	text, want := numbered(0, 100)
	appendTo(t, name, text)
	out, r := follow(t, config(dir+"/*.log"), providertest.Env(t))
	out.Wait(100)
	for i, at := range []time.Time{time.Now().Add(-100 * time.Hour), time.Now().Add(100 * time.Hour), time.Unix(1, 0)} {
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
		other, bodies := numbered(1000+i, 1)
		want = append(want, bodies...)
		appendTo(t, filepath.Join(dir, "other.log"), other)
		out.Wait(len(want)) // it was looked at
	}
	r.Stop()
	equal(t, want, out.Bodies())
}

// A writer that does not append goes on where it was when its file is cut, and leaves a hole.
func TestAHoleLeftByAStaleWriterIsNotRead(t *testing.T) {
	t.Parallel()
	for _, down := range []bool{false, true} {
		t.Run(fmt.Sprint("cut while down ", down), func(t *testing.T) {
			t.Parallel()
			name := filepath.Join(t.TempDir(), "app.log")
			env := providertest.Env(t)
			w, err := os.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			write := func(text string) {
				t.Helper()
				if _, err := w.WriteString(text); err != nil {
					t.Fatal(err)
				}
			}
			text, want := numbered(0, 10000)
			write(text)
			out, r := follow(t, config(name), env)
			out.Wait(len(want))
			if down {
				r.Stop()
				env = again(env)
			}
			if err := os.Truncate(name, 0); err != nil {
				t.Fatal(err)
			}
			write("after the cut\n")
			if down {
				out, r = follow(t, config(name), env)
				want = nil
			}
			want = append(want, "after the cut")
			out.Wait(len(want))
			r.Stop() // and a restart goes on behind it
			env = again(env)
			next, r := follow(t, config(name), env)
			write("more\n")
			next.Wait(1)
			r.Stop()
			equal(t, append(want, "more"), append(out.Bodies(), next.Bodies()...))
		})
	}
}

// A channel that is full for a long time stops reading in the middle of a file. What is cut and grows again meanwhile is another
// content, which must be read from its first byte.
func TestAFileThatIsCutWhileItsReaderLagsIsNoticed(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "app.log")
	env := providertest.Env(t)
	env.Batch.MaxEvents = 10
	old, _ := numbered(0, 100)
	appendTo(t, name, old)
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions)).Hold(1)
	r := providertest.Start(t, providertest.Make(t, New, config(name), env), out)
	out.Wait(10) // and the next batch waits for room
	text, want := numbered(1000, 300)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	last := want[len(want)-1]
	providertest.Until(t, "the last line comes", func() bool {
		out.Ack(-1, flow.Durable)
		return slices.Contains(out.Bodies(), last)
	})
	r.Stop()
	out.Ack(-1, flow.Durable)
	got := slices.DeleteFunc(out.Bodies(), func(l string) bool { return !slices.Contains(want, l) })
	equal(t, want, got)
}
