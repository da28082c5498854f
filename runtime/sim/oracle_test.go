package sim_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"collect/hclspec/schema"
	"collect/runtime/pipeline"
)

// goal says which events must arrive at which places, together.
type goal struct {
	places  []string // directories with final files, or names of shops
	takes   func(key string, n uint64) bool
	once    bool // exactly: nothing is there twice
	nearly  bool // the same, unless what a channel's consumers have committed was undone
	torn    bool // a power cut may leave pieces and later lines of what was not acknowledged
	ordered bool // each place gets the events of a key in order; those that come again do not count
}

func everything(string, uint64) bool { return true }

// arrived is how often each number of a key is there.
type arrived map[string]map[uint64]int

// visit reads what is at a goal.
func (w *world) visit(g goal) (got arrived, wrong []string) {
	got = arrived{}
	for _, place := range g.places {
		if s := w.shops[place]; s != nil {
			wrong = append(wrong, w.read(g, place, s.bought(), got)...)
			continue
		}
		files := w.disk.Files(place)
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if strings.HasPrefix(name[strings.LastIndexByte(name, '/')+1:], ".") {
				continue
			}
			text := strings.TrimSuffix(string(files[name]), "\n")
			wrong = append(wrong, w.read(g, name, strings.Split(text, "\n"), got)...)
		}
	}
	return got, wrong
}

// read looks at the lines of one place.
func (w *world) read(g goal, place string, lines []string, got arrived) (wrong []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	next := map[string]uint64{} // numbers below are no news in this place
	for _, text := range lines {
		key, n, ok := parse(text)
		switch {
		case !ok && g.torn && w.cut:
			continue
		case !ok:
			return append(wrong, fmt.Sprintf("%s: a line that was never sent: %.60q", place, text))
		case n >= w.issued[key]:
			wrong = append(wrong, fmt.Sprintf("%s: number %d of %s was never issued", place, n, key))
		case !g.takes(key, n):
			wrong = append(wrong, fmt.Sprintf("%s: number %d of %s does not belong here", place, n, key))
		}
		if got[key] == nil {
			got[key] = map[uint64]int{}
		}
		if g.ordered && !(g.torn && w.cut) && len(wrong) < 5 && n < next[key] && (g.once || got[key][n] == 0) {
			wrong = append(wrong, fmt.Sprintf("%s: number %d of %s comes after %d", place, n, key, next[key]-1))
		}
		next[key] = max(next[key], n+1)
		got[key][n]++
	}
	return wrong
}

// missing tells which acknowledged events of a key are not at a goal, and which are there twice.
func (w *world) missing(g goal, got arrived, key string) (lost, twice []uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for n := range w.acked[key] {
		if g.takes(key, n) && got[key][n] == 0 {
			lost = append(lost, n)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(got[key])) {
		if got[key][n] > 1 {
			twice = append(twice, n)
		}
	}
	return lost, twice
}

// known gives all keys, sorted.
func (w *world) known() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.limit))
}

// judge compares all goals with what was sent.
func (w *world) judge() (wrong []string) {
	for _, g := range w.goals {
		got, strange := w.visit(g)
		wrong = append(wrong, strange...)
		for _, k := range w.known() {
			lost, twice := w.missing(g, got, k)
			if len(lost) > 0 || len(twice) > 0 && (g.once || g.nearly && !w.shaky) {
				wrong = append(wrong, fmt.Sprintf("%v: key %s: %d of %d acknowledged events lost%v, %d doubled%v",
					g.places, k, len(lost), w.acked[k], lost[:min(len(lost), 9)], len(twice), twice[:min(len(twice), 9)]))
			}
		}
	}
	for name := range w.disk.Files("/") {
		if strings.HasPrefix(name[strings.LastIndexByte(name, '/')+1:], ".") {
			wrong = append(wrong, "an unfinished file is left: "+name)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ahead != "" {
		wrong = append(wrong, w.ahead)
	}
	return wrong
}

// counters must explain each other at rest.
func counters(p *pipeline.Pipeline) (wrong []string) {
	snap := p.Snapshot()
	into := map[string]int64{}
	for _, e := range snap.Edges {
		into[e.To] += e.Events
	}
	for _, c := range snap.Components {
		if c.Kind == schema.Source { // what its interceptors give up has no edge
			into["channel.dead"] += c.DeadLettered
		}
	}
	for _, c := range snap.Components {
		switch c.Kind {
		case schema.Source, schema.Interceptor:
			if c.EventsIn != c.EventsOut+c.Dropped+c.DeadLettered && c.Kind == schema.Interceptor {
				wrong = append(wrong, fmt.Sprintf("%s.%s: %d in, %d out, %d dropped, %d given up", c.Kind, c.Name, c.EventsIn, c.EventsOut, c.Dropped, c.DeadLettered))
			}
			if c.Dropped != 0 {
				wrong = append(wrong, fmt.Sprintf("%s.%s dropped %d", c.Kind, c.Name, c.Dropped))
			}
		case schema.Channel:
			if at := into["channel."+c.Name]; at != c.EventsIn {
				wrong = append(wrong, fmt.Sprintf("channel.%s counts %d events, those who fill it %d", c.Name, c.EventsIn, at))
			}
			if c.BacklogEvents != 0 {
				wrong = append(wrong, fmt.Sprintf("channel.%s: %d events are left", c.Name, c.BacklogEvents))
			}
		case schema.Sink:
			if c.EventsIn != c.EventsOut+c.DeadLettered || c.InFlight != 0 {
				wrong = append(wrong, fmt.Sprintf("sink.%s: %d in, %d out, %d given up, %d in flight", c.Name, c.EventsIn, c.EventsOut, c.DeadLettered, c.InFlight))
			}
		}
	}
	return wrong
}

func describe(p *pipeline.Pipeline) string {
	raw, err := json.Marshal(p.Snapshot().Components)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}
