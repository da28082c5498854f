package cli

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
	"collect/planner/resource"
	"collect/planner/state"
	"collect/runtime/supervisor/api"
)

func (c *command) statusCommand() *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "what runs, with rates, backlogs and errors",
		Flags:  append(c.valueFlags(), &cli.BoolFlag{Name: "json", Usage: "machine-readable output"}),
		Action: c.status,
	}
}

// topicsLimit bounds how long status waits for brokers: it answers also when they do not.
const topicsLimit = 2 * time.Second

func (c *command) status(ctx *cli.Context) error {
	if err := noArguments(ctx); err != nil {
		return err
	}
	p, err := c.find()
	if err != nil {
		return err
	}
	st, unreadable := state.Load(p.layout.Data)
	if unreadable != nil { // what runs is known without it, and never more wanted than now
		unreadable = refuse("State cannot be read", "%s", sentence(unreadable.Error()))
		st = state.New()
	}
	var topics []api.Topic
	var wg sync.WaitGroup
	wg.Go(func() { topics = c.topics(ctx.Context, p, st) })
	seen, err := c.survey(ctx.Context, p.layout)
	wg.Wait()
	if err != nil {
		return err
	}
	if seen.Name == "" {
		seen.Name = p.name
	}
	ofStoppedBroker(topics, st, seen.Broker)
	seen.DataDir, seen.Revision, seen.Commit, seen.Topics = p.layout.Data, st.Revision, st.Commit, topics
	if ctx.Bool("json") {
		if seen.Agents == nil {
			seen.Agents = []api.Agent{}
		}
		return errors.Join(c.printJSON(seen), unreadable)
	}
	c.out.Status(seen)
	return unreadable
}

// topics asks brokers about the topics of the installation.
func (c *command) topics(ctx context.Context, p *place, st *state.State) []api.Topic {
	out := []api.Topic{}
	var known []*resource.Known
	for i := range st.Objects {
		if st.Objects[i].Kind == planner.KindTopic {
			known = append(known, &st.Objects[i].Known)
		}
	}
	if len(known) == 0 || c.deps.Kinds == nil {
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
			out[i].Name, _ = nameOf(k.Address)
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

func (c *command) readTopics(ctx context.Context, p *place, known []*resource.Known) (*topicReader, error) {
	kinds, err := c.kinds(p.name, p.layout, 0)
	if err != nil {
		return nil, err
	}
	r := &topicReader{lives: map[string]*resource.Live{}}
	if p.cfg != nil && !p.diags.HasErrors() {
		if r.want, err = planner.Topics(p.cfg); err != nil {
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
