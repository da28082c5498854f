package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"collect/runtime/flow"
)

// channelNode is one running channel.
type channelNode struct {
	name      string
	typ       string
	sig       string // what it was made of; a node whose signature is wanted again stays
	durable   bool
	ch        flow.Channel
	stats     *flow.Stats
	dir       flow.Dir // its own directory
	consumers map[string]flow.Consumer

	mu      sync.Mutex // guards runners
	runners []*runner
}

// consumersName is the file in a channel's directory that lists its consumers, one a line: what is gone from the configuration
// must be forgone, or the channel would keep everything for it.
const consumersName = "consumers"

// open opens the channel, makes its consumers and forgoes those of earlier runs.
func (n *channelNode) open(ctx context.Context, consumers []string) error {
	if err := guard(func() error { return n.ch.Open(ctx) }); err != nil {
		return fmt.Errorf("channel %s: %w", n.name, err)
	}
	n.consumers = map[string]flow.Consumer{}
	for _, c := range consumers {
		n.consumers[c] = n.ch.Consumer(c)
	}
	if err := n.forgo(consumers); err != nil {
		return errors.Join(fmt.Errorf("channel %s: %w", n.name, err), n.ch.Close(ctx))
	}
	n.ch.OnPressure(n.pressure)
	return nil
}

func (n *channelNode) forgo(consumers []string) error {
	if !n.durable {
		return nil
	}
	raw, _, err := readFile(n.dir, consumersName)
	if err != nil {
		return err
	}
	for old := range strings.FieldsSeq(string(raw)) {
		if !slices.Contains(consumers, old) {
			if err := n.ch.Forgo(old); err != nil {
				return fmt.Errorf("forgo consumer %s: %w", old, err)
			}
		}
	}
	list := strings.Join(consumers, "\n") + "\n"
	if list == string(raw) {
		return nil
	}
	return writeFile(n.dir, consumersName, []byte(list))
}

func (n *channelNode) attach(r *runner) {
	n.mu.Lock()
	n.runners = append(n.runners, r)
	n.mu.Unlock()
}

func (n *channelNode) detach(r *runner) {
	n.mu.Lock()
	n.runners = slices.DeleteFunc(n.runners, func(o *runner) bool { return o == r })
	n.mu.Unlock()
}

// pressure is called when the channel is full of what its runners have leased.
func (n *channelNode) pressure() {
	n.mu.Lock()
	all := slices.Clone(n.runners)
	n.mu.Unlock()
	for _, r := range all {
		r.pressure()
	}
}

// empty waits until everything is delivered, or ctx ends. It reports whether nothing is left.
func (n *channelNode) empty(ctx context.Context) bool {
	pause, pressed := time.Millisecond, time.Time{}
	for {
		if n.ch.Stats().Events == 0 {
			return true
		}
		if time.Since(pressed) > time.Second { // what a sink holds back must come out, also what it takes from now on
			n.pressure()
			pressed = time.Now()
		}
		if sleep(ctx, pause) != nil {
			return n.ch.Stats().Events == 0
		}
		pause = min(pause*2, 100*time.Millisecond)
	}
}

func (n *channelNode) close(ctx context.Context) error {
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait) // closing must end even after the deadline
	defer cancel()
	err := guard(func() error { return n.ch.Close(closing) })
	if n.dir != nil {
		err = errors.Join(err, n.dir.Close())
	}
	if err != nil {
		return fmt.Errorf("channel %s: close: %w", n.name, err)
	}
	return nil
}
