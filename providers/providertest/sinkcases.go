package providertest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"collect/runtime/flow"
)

// want compares what has arrived.
func (s Sink) want(t *testing.T, bodies []string) {
	t.Helper()
	form := make([]string, len(bodies))
	for i, b := range bodies {
		form[i] = b
		if s.Form != nil {
			form[i] = s.Form(b)
		}
	}
	var got []string
	for end := time.Now().Add(wait); ; time.Sleep(5 * time.Millisecond) { // some arrive after they are sent
		if got = s.Received(t); len(got) >= len(form) || time.Now().After(end) {
			break
		}
	}
	if len(got) == 0 && len(form) == 0 {
		return
	}
	if diff := cmp.Diff(form, got); diff != "" {
		t.Errorf("arrived (-want +got, %d and %d):\n%.1500s", len(form), len(got), diff)
	}
}

// FirstOfEach leaves out what has come before: delivery is at least once.
func FirstOfEach(bodies []string) []string {
	var first []string
	seen := map[string]bool{}
	for _, b := range bodies {
		if !seen[b] {
			first = append(first, b)
		}
		seen[b] = true
	}
	return first
}

func numbered(from, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("event %06d of the test", from+i)
	}
	return out
}

func sinkDelivers(t *testing.T, s Sink) {
	d := s.open(t, s.env(t))
	var all []string
	for i := range 60 {
		bodies := numbered(len(all), 1+i*7%200)
		all = append(all, bodies...)
		d.Must(bodies)
		if i%20 == 19 {
			d.Flush()
		}
	}
	d.Flush()
	for seq := uint64(1); seq <= 60; seq++ {
		if r, ok := d.Result(seq); !ok || r.Err != nil || len(r.Events) > 0 {
			t.Errorf("batch %d: %+v, done %v", seq, r, ok)
		}
	}
	s.want(t, all)
	d.Close()
}

func sinkEmpty(t *testing.T, s Sink) {
	d := s.open(t, s.env(t))
	d.Must(nil)
	d.Must([]string{"x"})
	d.Must(nil)
	d.Flush()
	s.want(t, []string{"x"})
	d.Close()
}

func sinkBytes(t *testing.T, s Sink) {
	d := s.open(t, s.env(t))
	var all [256]byte
	for i := range all {
		all[i] = byte(i)
	}
	bodies := []string{string(all[:]), "", "\n", "a\r\nb", "\\n", strings.Repeat("x", 70_000), "€ 한글"}
	for c := range 256 {
		bodies = append(bodies, "<"+string([]byte{byte(c)})+">")
	}
	d.Must(bodies)
	d.Flush()
	s.want(t, bodies)
	d.Close()
}

func sinkHeaders(t *testing.T, s Sink) {
	d := s.open(t, s.env(t))
	hostile := []flow.Header{{Name: "a", Value: []byte("\r\n\x00\xff../..")}, {Name: "weird\r\nname", Value: nil}, {Name: "", Value: []byte("x")}}
	d.Must([]string{"with headers"}, hostile...)
	d.Flush()
	s.want(t, []string{"with headers"})
	d.Close()
}

func sinkWindow(t *testing.T, s Sink) {
	limit := s.Window
	if limit == 0 {
		limit = 64 << 20
	}
	d := s.open(t, s.env(t))
	line := strings.Repeat("y", 999)
	var all []string
	for range 100 {
		bodies := slices.Repeat([]string{line}, 400)
		all = append(all, bodies...)
		d.Must(bodies)
	}
	d.Flush()
	if d.most > limit {
		t.Errorf("held %d bytes, %d are allowed", d.most, limit)
	}
	s.want(t, all)
	d.Close()
}

func sinkFailure(t *testing.T, s Sink) {
	if s.Break == nil {
		t.Skip("this destination cannot be broken")
	}
	d := s.open(t, s.env(t))
	first := numbered(0, 50)
	d.Must(first)
	d.Flush()
	mend := s.Break(t)
	second := numbered(50, 50)
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	err := d.Write(ctx, second)
	cancel()
	if err == nil {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_ = d.sink.Flush(ctx) // it fails, or is not finished
		cancel()
	} else {
		d.mu.Lock()
		d.failed = append(d.failed, 2)
		d.mu.Unlock()
	}
	if r, ok := d.Result(2); ok && r.Err == nil {
		t.Error("a batch was delivered to a destination that is broken")
	}
	mend()
	Eventually(t, "the batch ends or can be written again", func() bool {
		r, ok := d.Result(2)
		return len(d.Failed()) > 0 || ok && r.Err == nil
	})
	d.Retry()
	third := numbered(100, 50)
	d.Must(third)
	d.Flush()
	d.Retry()
	form := slices.Concat(first, second, third)
	if s.Form != nil {
		for i := range form {
			form[i] = s.Form(form[i])
		}
	}
	var got []string
	for end := time.Now().Add(wait); len(got) < len(form) && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		got = FirstOfEach(s.Received(t))
	}
	if diff := cmp.Diff(form, got); diff != "" {
		t.Errorf("arrived (-want +got):\n%.1500s", diff)
	}
	d.Close()
}

func sinkCloses(t *testing.T, s Sink) {
	before := goleak.IgnoreCurrent()
	d := s.open(t, s.env(t))
	for i := range 20 {
		d.Must(numbered(i*100, 100))
	}
	d.Close()
	goleak.VerifyNone(t, before)
}

func sinkClosed(t *testing.T, s Sink) {
	d := s.open(t, s.env(t))
	d.Close()
	if err := d.Write(t.Context(), []string{"late"}); err == nil {
		if _, done := d.Result(1); !done {
			t.Error("a batch was accepted after Close and is not done")
		}
	}
}

func sinkWriters(t *testing.T, s Sink) {
	d := s.open(t, s.env(t))
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range 20 {
				if err := d.Write(t.Context(), numbered(w*10_000+i*10, 10)); err != nil {
					t.Errorf("Write: %v", err)
				}
			}
		})
	}
	writers.Wait()
	d.Flush()
	var got []string
	Eventually(t, "all events arrive", func() bool {
		got = slices.Clone(s.Received(t))
		return len(got) >= 800
	})
	slices.Sort(got)
	if n := len(slices.Compact(got)); len(got) != 800 || n != 800 {
		t.Errorf("%d events arrived, %d different ones, of 800", len(got), n)
	}
	d.Close()
}

func sinkSecondRun(t *testing.T, s Sink) {
	env := s.env(t)
	d := s.open(t, env)
	d.Must(numbered(0, 30))
	d.Flush()
	d.Close()
	e := s.open(t, env)
	e.seq = 1
	e.Must(numbered(30, 30))
	e.Flush()
	s.want(t, numbered(0, 60))
	e.Close()
}

func sinkCancelled(t *testing.T, s Sink) {
	d := s.open(t, s.env(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Write(ctx, []string{"x"}); err != nil && ctx.Err() == nil {
		t.Errorf("Write with a cancelled context: %v", err)
	}
	d.Flush()
	d.Close()
}
