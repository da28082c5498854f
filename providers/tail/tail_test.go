package tail

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/unicode"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func config(include ...string) Config {
	c := Defaults()
	c.Include = include
	c.RotateWait = 100 * time.Millisecond
	return c
}

func appendTo(t testing.TB, name, text string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// numbered gives n lines that begin with a running number.
func numbered(from, n int) (text string, bodies []string) {
	var b strings.Builder
	for i := from; i < from+n; i++ {
		body := fmt.Sprintf("%06d %s", i, strings.Repeat("x", i%50))
		bodies = append(bodies, body)
		b.WriteString(body + "\n")
	}
	return b.String(), bodies
}

// follow starts a source on env and gives what it emits.
func follow(t testing.TB, c Config, env flow.Env) (*providertest.Out, *providertest.Running) {
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions))
	return out, providertest.Start(t, providertest.Make(t, New, c, env), out)
}

// again prepares the environment of the next process after a clean stop.
func again(env flow.Env) flow.Env {
	env.Positions = env.Positions.(*providertest.Positions).Stopped()
	env.Stats = &flow.Stats{}
	return env
}

// variant gives what one numbered event looks like in a file, and which bodies it makes.
func variant(t testing.TB, cfg Config, i int) (raw string, bodies []string) {
	t.Helper()
	switch body := fmt.Sprintf("%06d", i); {
	case cfg.Multiline != nil:
		body += strings.Repeat("\n  at line "+body, i%4)
		return body + "\n", []string{body}
	case cfg.Encoding == "cp949":
		body += strings.Repeat("뷁", 10) // 6 bytes and 5 characters of two are 16, the next one does not fit
		raw, err := korean.EUCKR.NewEncoder().String(body + "\n")
		if err != nil {
			t.Fatal(err)
		}
		return raw, []string{body[:6+5*3], body[6+5*3:]}
	case cfg.Encoding == "utf-16":
		body += "상태 \u0a0a"
		raw, err := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder().String(body + "\r\n")
		if err != nil {
			t.Fatal(err)
		}
		return raw, []string{body}
	case cfg.MaxLine == 16:
		return body + "0123456789" + body + "\n", []string{body + "0123456789", body}
	default:
		return body + "\n", []string{body}
	}
}

func fact(env flow.Env, label string) string {
	for _, f := range env.Stats.Snapshot().Facts {
		if f.Label == label {
			return f.Value
		}
	}
	return ""
}

// untilDecided waits until so many files are followed and none is held back any more. What had to be read of them was read then.
func untilDecided(t testing.TB, env flow.Env, files int) {
	t.Helper()
	providertest.Until(t, fmt.Sprint("it is decided what ", files, " files are"), func() bool {
		return fact(env, "files") == fmt.Sprint(files) && fact(env, "perhaps copies") == ""
	})
}

func equal(t testing.TB, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events differ (-want +got):\n%.3000s", diff)
	}
}

func TestConformance(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"a limit of open files": func(*Config) {},
		"several lines":         func(c *Config) { c.Multiline = &Multiline{FirstLine: `^\d`, Timeout: 50 * time.Millisecond} },
		"split lines":           func(c *Config) { c.MaxLine = 16 },
		"utf-16":                func(c *Config) { c.Encoding = "utf-16" },
		"split cp949":           func(c *Config) { c.Encoding, c.MaxLine = "cp949", 17 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			providertest.Test(t, func(t *testing.T) providertest.Source {
				file, next := filepath.Join(t.TempDir(), "app.log"), 0
				cfg := config(file)
				change(&cfg)
				return providertest.Source{
					New: func(t *testing.T, env flow.Env) flow.Source {
						src := providertest.Make(t, New, cfg, env)
						if name == "a limit of open files" {
							src.(*Source).maxOpen = 0
						}
						return src
					},
					Feed: func(t *testing.T, n int) (all []string) {
						text := ""
						for i := next; i < next+n; i++ {
							more, bodies := variant(t, cfg, i)
							text += more
							all = append(all, bodies...)
						}
						next += n
						appendTo(t, file, text)
						return all
					},
				}
			})
		})
	}
	t.Run("one file", func(t *testing.T) {
		providertest.Test(t, func(t *testing.T) providertest.Source {
			name, next := filepath.Join(t.TempDir(), "app.log"), 0
			return providertest.Source{
				New: func(t *testing.T, env flow.Env) flow.Source { return providertest.Make(t, New, config(name), env) },
				Feed: func(t *testing.T, n int) []string {
					text, bodies := numbered(next, n)
					next += n
					appendTo(t, name, text)
					return bodies
				},
			}
		})
	})
	t.Run("many files", func(t *testing.T) {
		providertest.Test(t, func(t *testing.T) providertest.Source {
			dir, next := t.TempDir(), 0
			return providertest.Source{
				Unordered: true,
				New: func(t *testing.T, env flow.Env) flow.Source {
					return providertest.Make(t, New, config(filepath.Join(dir, "*.log")), env)
				},
				Feed: func(t *testing.T, n int) (all []string) {
					for i := range 10 {
						text, bodies := numbered(next, n/10)
						next += n / 10
						appendTo(t, filepath.Join(dir, fmt.Sprintf("%d.log", i)), text)
						all = append(all, bodies...)
					}
					return all
				},
			}
		})
	})
}
