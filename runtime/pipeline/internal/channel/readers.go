package channel

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/datadir"
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
	for _, reader := range slices.Sorted(maps.Keys(s)) {
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

// Join makes the consumers of these readers. Those of others stay until Leave.
func (n *Node) Join(readers []string) error {
	all := n.seats.with(readers)
	if err := n.seat(all); err != nil {
		return err
	}
	for _, r := range readers {
		if n.consumers[r] == nil {
			if n.consumers == nil {
				n.consumers = map[string]flow.Consumer{}
			}
			n.joined = true
			n.consumers[r] = n.Channel.Consumer(all[r])
		}
	}
	return nil
}

// Consumer gives the consumer of a reader that joined.
func (n *Node) Consumer(reader string) flow.Consumer { return n.consumers[reader] }

// seat notes who has which consumer, before it is so.
func (n *Node) seat(all seats) error {
	if maps.Equal(all, n.seats) {
		return nil
	}
	if n.Durable {
		if err := datadir.Write(n.Dir, consumersName, all.encode()); err != nil {
			return fmt.Errorf("channel %s: %w", n.Name, err)
		}
	}
	n.seats = all
	return nil
}

// Leave forgoes all consumers but those of these readers. What a reader leaves behind that no other begins with is lost to its
// destination, and counted; the readers that stay get theirs.
func (n *Node) Leave(readers []string) error {
	stay := seats{}
	for _, r := range readers {
		stay[r] = n.seats[r]
	}
	for _, r := range slices.Sorted(maps.Keys(n.seats)) {
		name := n.seats[r]
		if stay.taken(name) {
			if stay[r] == "" {
				delete(n.consumers, r)
			}
			continue
		}
		k := n.consumers[r]
		if k == nil {
			k = n.Channel.Consumer(name) // of an earlier run
		}
		waiting := k.Waiting()
		if err := n.Channel.Forgo(name); err != nil {
			return fmt.Errorf("channel %s: forgo consumer %s: %w", n.Name, name, err)
		}
		delete(n.consumers, r)
		if waiting > 0 && !n.joined {
			n.Stats.Drop("reader_left", int(waiting))
		}
	}
	n.joined = false
	return n.seat(stay)
}

// Succeeds says whether any of these readers is new: it begins with what leaving ones have not delivered.
func (n *Node) Succeeds(readers []string) bool {
	return slices.ContainsFunc(readers, func(r string) bool { return n.seats[r] == "" })
}
