package cli

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

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
	p, st, err := c.remembered()
	if err != nil {
		return err
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
	seen.DataDir, seen.Revision, seen.Commit, seen.Topics = p.layout.Data, st.Revision, st.Commit, topics
	if ctx.Bool("json") {
		if seen.Agents == nil {
			seen.Agents = []api.Agent{}
		}
		return c.printJSON(seen)
	}
	c.out.Status(seen)
	return nil
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
	lives, err := c.readTopics(ctx, p, known)
	for _, k := range known {
		t := api.Topic{Address: k.Address, Name: k.Identity["name"]}
		switch l := lives[k.Address]; {
		case err != nil:
			t.Error = err.Error()
		case l == nil:
			t.Error = "it does not exist any more"
		case l.Unread != "":
			t.Error = l.Unread
		default:
			t.Partitions = int(number(l.Have["partitions"]))
			t.Records = int64(number(l.Figures["records"]))
			if name, ok := l.Have["name"].(string); ok {
				t.Name = name
			}
		}
		if t.Name == "" {
			t.Name, _ = nameOf(k.Address)
		}
		out = append(out, t)
	}
	return out
}

func (c *command) readTopics(ctx context.Context, p *place, known []*resource.Known) (map[string]*resource.Live, error) {
	ctx, cancel := context.WithTimeout(ctx, topicsLimit)
	defer cancel()
	kinds, err := c.kinds(p.name, p.layout, 0)
	if err != nil {
		return nil, err
	}
	want := []*resource.Object{}
	if p.cfg != nil && !p.diags.HasErrors() {
		if want, err = planner.Topics(p.cfg); err != nil {
			return nil, err
		}
	}
	for _, k := range kinds {
		if k.Name() != planner.KindTopic {
			continue
		}
		lives, err := k.Read(ctx, want, known)
		if err != nil {
			return nil, err
		}
		found := map[string]*resource.Live{}
		for _, l := range lives {
			found[l.Address] = l
		}
		return found, nil
	}
	return nil, fmt.Errorf("this program has no kind %q", planner.KindTopic)
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
