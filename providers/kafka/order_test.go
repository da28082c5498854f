package kafka

import (
	"context"
	"errors"
	"slices"
	"testing"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

// scripted is a client whose reports come when the test says so.
type scripted struct {
	sent *[]string
	open []*tag
}

func (c *scripted) send(_ context.Context, r *record, t *tag) error {
	*c.sent = append(*c.sent, string(r.value))
	c.open = append(c.open, t)
	return nil
}

func (c *scripted) check(context.Context, string) error { return nil }
func (c *scripted) flush()                              {}
func (c *scripted) begin(*inflight)                     {}
func (c *scripted) end(*inflight)                       {}

func (c *scripted) abandon() bool {
	open := c.open
	c.open = nil
	for _, t := range open {
		t.reported(errGivenUp)
	}
	return false
}

// scriptedSink is a sink that is open, without the goroutine that mends it: it is late.
func scriptedSink(t *testing.T, sent *[]string) (*Sink, *scripted) {
	t.Helper()
	s := providertest.Make(t, New, config("librdkafka", "one", []string{"127.0.0.1:1"}), providertest.Env(t)).(*Sink)
	first := &scripted{sent: sent}
	s.client = first
	s.connect = func(*Sink, []string, manner) (client, error) { return &scripted{sent: sent}, nil }
	return s, first
}

// The pipeline writes on until it hears that a batch has failed. Between the first bad report and that moment nothing newer may go.
func TestNothingOvertakesABatchThatIsAboutToFail(t *testing.T) {
	pool := flow.NewPoisonPool(1 << 20)
	for name, mended := range map[string]bool{"before the client is given up": false, "after it": true} {
		t.Run(name, func(t *testing.T) {
			var sent []string
			s, c := scriptedSink(t, &sent)
			turn, cancel := context.WithCancel(t.Context())
			defer cancel()
			failed := 0
			write := func(seq uint64, body ...string) error {
				b := providertest.SinkBatch(pool, seq, body)
				b.SetDone(func(_ *flow.Batch, r flow.Result) {
					if r.Err != nil {
						failed++
						cancel() // as the pipeline does
					}
				})
				return s.Write(turn, b)
			}
			if err := write(1, "1", "2"); err != nil {
				t.Fatal(err)
			}
			tag := c.open[0]
			c.open = c.open[1:]
			tag.reported(errors.New("broker is down"))
			if mended {
				s.retire()
			}
			if err := write(2, "3"); err == nil {
				t.Error("a newer batch was accepted")
			}
			if !slices.Equal(sent, []string{"1", "2"}) {
				t.Errorf("sent: %v", sent)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if mended && failed != 1 {
				t.Errorf("%d batches failed", failed)
			}
		})
	}
}
