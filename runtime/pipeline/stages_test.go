package pipeline

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"collect/hclspec/schema"
	"collect/runtime/flow"
)

// changer changes everything of each event in one way or another, and fails at some event.
type changer struct {
	fail func(body string) error
	puts *int
}

func (c changer) Intercept(b *flow.Batch, lo, hi int, k *flow.Keep) error {
	for i := lo; i < hi; i++ {
		body := string(b.Body(i))
		k.OnPut(func() { *c.puts++ })
		b.SetBody(i, []byte(body+"!"))
		b.SetTime(i, b.Time(i)+1)
		old, _ := b.Header(i, "n")
		n, _ := strconv.Atoi(string(old))
		b.SetHeaders(i, flow.Header{Name: "n", Value: []byte(strconv.Itoa(n + 1))})
		if body == "line 3" {
			b.RemoveHeaders(i, func(name []byte) bool { return string(name) == "shared" })
			k.Drop(i, "three")
		}
		if err := c.fail(body); err != nil {
			return err
		}
	}
	return nil
}

func TestAnInterceptorThatFailsHalfWayDoesNothingTwice(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("away") },
		"panic": func() error { panic("a bug") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				left, puts := 3, 0
				w.stage = changer{puts: &puts, fail: func(body string) error {
					if body == "line 7" && left > 0 {
						left--
						return fail()
					}
					return nil
				}}
				w.feed("in").lines.Store(10)
				var got []string
				w.target("out").answer = func(b *flow.Batch, _ []string) flow.Result {
					for i := range b.Len() {
						n, _ := b.Header(i, "n")
						got = append(got, fmt.Sprintf("%s %s %d", b.Body(i), n, b.Time(i)))
					}
					return flow.Result{}
				}
				p := w.start(spec("memory", func(s *schema.AgentSpec) {
					s.Sources[0].Interceptors = []schema.InterceptorSpec{{Type: "given"}}
				}))
				eventually(t, "all is delivered", func() bool { return len(w.target("out").lines()) == 9 })
				w.drain(p, time.Second)
				var want []string
				for _, l := range numbers(0, 10) {
					if l != "line 3" {
						want = append(want, l+"! 1 1")
					}
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("delivered (-want +got):\n%s", d)
				}
				if left != 0 || puts != 10 {
					t.Errorf("%d failures did not happen, %d calls when stored, want 10", left, puts)
				}
				addUp(t, p)
			})
		})
	}
}
