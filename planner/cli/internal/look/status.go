package look

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"collect/planner"
	"collect/planner/cli/internal/call"
	"collect/planner/cli/internal/tfjson"
	"collect/planner/cli/internal/words"
	"collect/planner/resource"
	"collect/planner/state"
	"collect/runtime/supervisor/api"
)

func (c *command) statusCommand() *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "what runs, with rates, backlogs and errors",
		Flags:  append(c.ValueFlags(), &cli.BoolFlag{Name: "json", Usage: "machine-readable output"}),
		Action: c.status,
	}
}

// topicsLimit bounds how long status waits for brokers: it answers also when they do not.
const topicsLimit = 2 * time.Second

func (c *command) status(ctx *cli.Context) error {
	if err := call.NoArguments(ctx); err != nil {
		return err
	}
	p, err := c.Find()
	if err != nil {
		return err
	}
	st, unreadable := state.Load(p.Layout.Data)
	if unreadable != nil { // what runs is known without it, and never more wanted than now
		unreadable = call.Refuse("State cannot be read", "%s", words.Sentence(unreadable.Error()))
		st = state.New()
	}
	var topics []api.Topic
	var wg sync.WaitGroup
	wg.Go(func() { topics = c.topics(ctx.Context, p, st) })
	seen, err := c.Survey(ctx.Context, p.Layout)
	wg.Wait()
	if err != nil {
		return err
	}
	if seen.Name == "" {
		seen.Name = p.Name
	}
	ofStoppedBroker(topics, st, seen.Broker)
	seen.DataDir, seen.Revision, seen.Commit, seen.Topics = p.Layout.Data, st.Revision, st.Commit, topics
	if ctx.Bool("json") {
		if seen.Agents == nil {
			seen.Agents = []api.Agent{}
		}
		return errors.Join(c.PrintJSON(seen), unreadable)
	}
	c.Out.Status(seen)
	return unreadable
}

// topics asks brokers about the topics of the installation.
func (c *command) topics(ctx context.Context, p *call.Place, st *state.State) []api.Topic {
	out := []api.Topic{}
	var known []*resource.Known
	for i := range st.Objects {
		if st.Objects[i].Kind == planner.KindTopic {
			known = append(known, &st.Objects[i].Known)
		}
	}
	if len(known) == 0 || c.Deps.Kinds == nil {
		return out
	}
	ctx, cancel := context.WithTimeout(ctx, topicsLimit)
	defer cancel()
	r, err := c.readTopics(ctx, p, known)
	out = make([]api.Topic, len(known))
	var group errgroup.Group
	group.SetLimit(8)
	for i, k := range known {
		out[i] = api.Topic{Address: k.Address, Name: k.Identity["name"]}
		if out[i].Name == "" {
			out[i].Name, _ = tfjson.NameOf(k.Address)
		}
		if err != nil {
			out[i].Error = err.Error()
			continue
		}
		group.Go(func() error {
			r.fill(ctx, &out[i], k)
			return nil
		})
	}
	_ = group.Wait() // each topic holds its own error
	return out
}

const topicGone = "it does not exist any more"

// ofStoppedBroker says of topics of a development broker that does not run why they were not found: they are in its directory.
func ofStoppedBroker(topics []api.Topic, st *state.State, b *api.Broker) {
	if b != nil && b.State == api.Running {
		return
	}
	for i := range topics {
		if topics[i].Error == topicGone && slices.Contains(st.DependsOn(topics[i].Address), planner.BrokerAddress) {
			topics[i].Error = "the development broker does not run at present"
		}
	}
}

// topicReader is what was read of topics, and who can count their records.
type topicReader struct {
	lives   map[string]*resource.Live
	want    []*resource.Object
	counter resource.Counter
}

func (c *command) readTopics(ctx context.Context, p *call.Place, known []*resource.Known) (*topicReader, error) {
	kinds, err := c.Kinds(p.Name, p.Layout, 0)
	if err != nil {
		return nil, err
	}
	r := &topicReader{lives: map[string]*resource.Live{}}
	if p.Config != nil && !p.Diagnostics.HasErrors() {
		if r.want, err = planner.Topics(p.Config); err != nil {
			return nil, err
		}
	}
	for _, k := range kinds {
		if k.Name() != planner.KindTopic {
			continue
		}
		lives, err := k.Read(ctx, r.want, known)
		if err != nil {
			return nil, err
		}
		for _, l := range lives {
			r.lives[l.Address] = l
		}
		r.counter, _ = k.(resource.Counter)
		return r, nil
	}
	return nil, fmt.Errorf("this program has no kind %q", planner.KindTopic)
}

func (r *topicReader) fill(ctx context.Context, t *api.Topic, k *resource.Known) {
	l := r.lives[k.Address]
	switch {
	case l == nil:
		t.Error = topicGone
		return
	case l.Unread != "":
		t.Error = l.Unread
		return
	}
	t.Partitions = int(number(l.Have["partitions"]))
	if name, ok := l.Have["name"].(string); ok {
		t.Name = name
	}
	if r.counter == nil {
		return
	}
	n, err := r.counter.Count(ctx, l, k, r.want)
	if err != nil {
		t.Error = err.Error()
	}
	t.Records = n
}

func number(v any) float64 {
	switch n := v.(type) {
	case float64:
		return n
	case int:
		return float64(n)
	case int64:
		return float64(n)
	case int32:
		return float64(n)
	}
	return 0
}
