package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"collect/runtime/pipeline/internal/datadir"
	"collect/runtime/pipeline/internal/wait"
)

// seats says which consumer of a channel each reader has, by the name of its runner. A channel keeps progress by consumer, so a reader
// keeps its consumer whoever comes and goes beside it; and a single reader that takes the place of a single one takes its consumer
// over, so that it goes on exactly where that one was.
type seats map[string]string

// consumersName is the file in a channel's directory that lists its consumers and who reads by them, one a line: what is gone from the
// configuration must be forgone, or the channel would keep everything for it.
const consumersName = "consumers"

func (s seats) encode() []byte {
	var b strings.Builder
	for _, reader := range sortedKeys(s) {
		fmt.Fprintln(&b, s[reader], reader)
	}
	return []byte(b.String())
}

func decodeSeats(raw []byte) seats {
	s := seats{}
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		switch len(f) {
		case 1: // of the time before readers were listed
			s[f[0]] = f[0]
		case 2:
			s[f[1]] = f[0]
		}
	}
	return s
}

// with gives the seats when these readers come too.
func (s seats) with(readers []string) seats {
	all := maps.Clone(s)
	if all == nil {
		all = seats{}
	}
	for _, r := range readers {
		switch {
		case all[r] != "":
		case len(readers) == 1 && len(s) == 0:
			all[r] = "main"
		case len(readers) == 1 && len(s) == 1:
			for _, c := range s {
				all[r] = c
			}
		default:
			name := r
			for n := 2; all.taken(name); n++ {
				name = fmt.Sprint(r, "#", n)
			}
			all[r] = name
		}
	}
	return all
}

func (s seats) taken(consumer string) bool {
	for _, c := range s {
		if c == consumer {
			return true
		}
	}
	return false
}

// join makes the consumers of these readers. Those of others stay until leave.
func (n *channelNode) join(readers []string) error {
	all := n.seats.with(readers)
	if err := n.seat(all); err != nil {
		return err
	}
	for _, r := range readers {
		if n.consumers[r] == nil {
			n.joined = true
			n.consumers[r] = n.ch.Consumer(all[r])
		}
	}
	return nil
}

// seat notes who has which consumer, before it is so.
func (n *channelNode) seat(all seats) error {
	if maps.Equal(all, n.seats) {
		return nil
	}
	if n.durable {
		if err := datadir.Write(n.dir, consumersName, all.encode()); err != nil {
			return fmt.Errorf("channel %s: %w", n.name, err)
		}
	}
	n.seats = all
	return nil
}

// leave forgoes all consumers but those of these readers. What a reader leaves behind that no other begins with is lost to its
// destination, and counted; the readers that stay get theirs.
func (n *channelNode) leave(readers []string) error {
	stay := seats{}
	for _, r := range readers {
		stay[r] = n.seats[r]
	}
	for _, r := range sortedKeys(n.seats) {
		name := n.seats[r]
		if stay.taken(name) {
			if stay[r] == "" {
				delete(n.consumers, r)
			}
			continue
		}
		k := n.consumers[r]
		if k == nil {
			k = n.ch.Consumer(name) // of an earlier run
		}
		waiting := k.Waiting()
		if err := n.ch.Forgo(name); err != nil {
			return fmt.Errorf("channel %s: forgo consumer %s: %w", n.name, name, err)
		}
		delete(n.consumers, r)
		if waiting > 0 && !n.joined {
			n.stats.Drop("reader_left", int(waiting))
		}
	}
	n.joined = false
	return n.seat(stay)
}

// succeeds says whether any of these readers is new: it begins with what leaving ones have not delivered.
func (n *channelNode) succeeds(readers []string) bool {
	return slices.ContainsFunc(readers, func(r string) bool { return n.seats[r] == "" })
}

// exhaust lets a runner deliver what waits for it now, until ctx ends: nobody does it after it has left.
func (r *runner) exhaust(ctx context.Context) {
	waiting, begin := r.consumer.Waiting(), r.out.Load()
	pressed := time.Time{}
	for pause := time.Millisecond; r.consumer.Waiting() > 0 && r.out.Load()-begin < waiting; pause = min(2*pause, 100*time.Millisecond) {
		if time.Since(pressed) > time.Second { // what a sink holds back must come out
			r.pressure()
			pressed = time.Now()
		}
		if wait.Sleep(ctx, pause) != nil {
			return
		}
	}
}

// exhausts gives the runners that leave a channel which stays, when nobody comes who begins with what they leave.
func (p *Pipeline) exhausts(d *design, keep kept, stopping []*runner) []*runner {
	return slices.DeleteFunc(slices.Clone(stopping), func(r *runner) bool {
		w, again := d.channels[r.node.name], d.runners[r.name]
		stays := w != nil && (keep.channels[r.node.name] || r.node.durable && w.spec.Type == r.node.typ)
		return !stays || again != nil && again.channel == r.node.name || r.node.succeeds(w.readers)
	})
}

// forgone ends the consumers that no reader of the design has.
func (p *Pipeline) forgone(d *design) error {
	for _, n := range p.channelList() {
		if err := n.leave(d.channels[n.name].readers); err != nil {
			return err
		}
	}
	return nil
}
