package topic

import (
	"context"
	"fmt"
	"slices"

	"collect/planner/resource"
	"collect/providers/internal/kafkaclient"
)

// Diff compares what is declared with what exists.
func (t *Topics) Diff(ctx context.Context, want *resource.Object, live *resource.Live, known *resource.Known, _ resource.DiffOptions) (*resource.Change, error) {
	if live != nil && live.Unread != "" {
		address := live.Address
		return nil, unread(address, live)
	}
	if want == nil {
		return t.unwanted(ctx, live, known)
	}
	c, err := decode(want.Want, want.Secrets)
	if err != nil {
		return nil, err
	}
	if known != nil && known.Identity["name"] != "" && known.Identity["name"] != c.Name && sameCluster(c, live, known) {
		return nil, &resource.Problem{
			Summary: "A topic cannot be renamed",
			Detail: fmt.Sprintf("Kafka keeps the name of a topic for ever, and %s is %q. Keep name = %q; or declare the new topic in a block of its own and remove this one.",
				want.Address, known.Identity["name"], known.Identity["name"]),
			Path: "name",
		}
	}
	if live == nil {
		return create(want, c, known), nil
	}
	if !sameTopic(live, known) {
		known = nil // on another cluster, or made anew by somebody else: what state says is about another topic
	}
	return compare(want, c, live, known)
}

// sameCluster says whether state is about the cluster that was read. Where nothing was found there it is taken for it, unless one of
// them is the development broker and the other is not.
func sameCluster(c Config, live *resource.Live, known *resource.Known) bool {
	if live == nil {
		return c.development() == (known.Identity["cluster"] == kafkaclient.DevelopmentCluster)
	}
	return live.Identity["cluster"] == known.Identity["cluster"]
}

func sameTopic(live *resource.Live, known *resource.Known) bool {
	return known != nil && live != nil && known.Identity["cluster"] == live.Identity["cluster"] && known.Identity["id"] == live.Identity["id"]
}

// unwanted decides about a topic that is not declared any more.
func (t *Topics) unwanted(ctx context.Context, live *resource.Live, known *resource.Known) (*resource.Change, error) {
	if live == nil || known == nil {
		return nil, nil
	}
	c := &resource.Change{Address: known.Address, Kind: t.Name(), Before: live.Have, Known: known, Basis: live.Basis}
	switch {
	case known.Origin != resource.Created:
		c.Action, c.Reason = resource.Forget, "it was there before; it stays"
	case !sameTopic(live, known):
		c.Action, c.Reason = resource.Forget, "somebody else made it anew; it stays"
	default:
		c.Action = resource.Delete
		n, err := t.Count(ctx, live, known, nil)
		if err != nil {
			return nil, err
		}
		if n > 0 && live.Identity["cluster"] != kafkaclient.DevelopmentCluster {
			c.Loss = []resource.Loss{{Address: known.Address, Events: n, What: "records"}}
		} else if n > 0 {
			c.Note = resource.Number(n) + " records, of the development broker"
		}
	}
	return c, nil
}

func create(want *resource.Object, c Config, known *resource.Known) *resource.Change {
	ch := &resource.Change{Address: want.Address, Kind: "topic", Action: resource.Create, After: after(c), Known: known}
	ch.Note = fmt.Sprintf("%s, %s", c.Name, count(c.Partitions, "partition"))
	switch {
	case known == nil || known.Origin == "":
	case !sameCluster(c, nil, known):
		ch.Reason = "it moves to other brokers; its records stay behind"
	case providerKey(known.Applied["provider"]) != providerKey(want.Want["provider"]):
		ch.Reason = "it does not exist on the brokers that are declared now"
	default:
		ch.Reason = "it does not exist any more"
	}
	ch.Items = append(ch.Items, resource.Item{Path: "partitions", Action: resource.Create, After: float64(c.Partitions), Place: want.Places["partitions"]})
	if c.ReplicationFactor > 0 {
		ch.Items = append(ch.Items, resource.Item{Path: "replication_factor", Action: resource.Create, After: float64(c.ReplicationFactor), Place: want.Places["replication_factor"]})
	}
	for _, k := range keys(c.Config) {
		ch.Items = append(ch.Items, resource.Item{Path: "config." + k, Action: resource.Create, After: c.Config[k], Place: want.Places["config"]})
	}
	return ch
}

func after(c Config) map[string]any { return tree(c.Name, c.Partitions, c.ReplicationFactor, c.Config) }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// compare finds the differences of a topic that exists.
func compare(want *resource.Object, c Config, live *resource.Live, known *resource.Known) (*resource.Change, error) {
	ch := &resource.Change{Address: want.Address, Kind: "topic", Before: live.Have, After: after(c), Basis: live.Basis, Known: known}
	ignored := func(path string) bool { return slices.Contains(want.IgnoreChanges, path) }
	if !ignored("partitions") {
		if err := partitions(ch, want, c, live); err != nil {
			return nil, err
		}
	}
	if !ignored("replication_factor") {
		if err := replicas(want, c, live); err != nil {
			return nil, err
		}
	}
	if !ignored("config") {
		settingsDiff(ch, want, c, live, known)
	}
	switch {
	case known == nil && len(ch.Items) == 0:
		ch.Action, ch.Reason = resource.Adopt, "it will never be deleted"
	case known == nil:
		ch.Action, ch.Reason = resource.Update, "it exists already and is adopted; it will never be deleted"
	case len(ch.Items) == 0:
		ch.Action = resource.NoOp
	default:
		ch.Action = resource.Update
	}
	return ch, nil
}

func partitions(ch *resource.Change, want *resource.Object, c Config, live *resource.Live) error {
	have, _ := live.Have["partitions"].(float64)
	switch n := int(have); {
	case c.Partitions > n:
		ch.Items = append(ch.Items, resource.Item{
			Path: "partitions", Action: resource.Update, Before: have, After: float64(c.Partitions),
			Note: "keys move to other partitions from here on", Place: want.Places["partitions"],
		})
	case c.Partitions < n:
		return &resource.Problem{
			Summary: fmt.Sprintf("partitions can only grow (%d -> %d)", n, c.Partitions),
			Detail: fmt.Sprintf("Kafka cannot take partitions away from topic %q without deleting the records in them. Set partitions = %d; or declare a new topic with %s and let its readers move there.",
				c.Name, n, count(c.Partitions, "partition")),
			Path: "partitions",
		}
	}
	return nil
}

func replicas(want *resource.Object, c Config, live *resource.Live) error {
	have, ok := live.Have["replication_factor"].(float64)
	if !ok || c.ReplicationFactor == 0 || c.ReplicationFactor == int(have) {
		return nil
	}
	return &resource.Problem{
		Summary: fmt.Sprintf("replication_factor cannot be changed (%d -> %d)", int(have), c.ReplicationFactor),
		Detail: fmt.Sprintf("Topic %q has %s of each partition. Move its replicas with Kafka's own kafka-reassign-partitions and then set the new number here; or set replication_factor = %d.",
			c.Name, count(int(have), "copie"), int(have)),
		Path: "replication_factor",
	}
}

// settingsDiff compares the declared settings, and those that were declared before.
func settingsDiff(ch *resource.Change, want *resource.Object, c Config, live *resource.Live, known *resource.Known) {
	own := texts(live.Have["config"])
	reported, defaults := texts(live.Figures["settings"]), texts(live.Figures["defaults"])
	var before map[string]string
	if known != nil {
		before = texts(known.Applied["config"])
	}
	skip := func(k string) bool {
		return slices.Contains(want.IgnoreChanges, "config."+k) || slices.Contains(want.IgnoreChanges, k)
	}
	for _, k := range keys(c.Config) {
		value, set := own[k]
		if _, shown := reported[k]; !shown && live.Identity["cluster"] == kafkaclient.DevelopmentCluster {
			value, set = before[k], before[k] != "" // the development broker knows few settings and keeps quiet about others
		}
		if skip(k) || set && same(k, value, c.Config[k]) {
			continue
		}
		item := resource.Item{Path: "config." + k, Action: resource.Update, After: c.Config[k], Place: want.Places["config"]}
		if item.Before = value; !set {
			item.Before = nil
			if d, ok := defaults[k]; ok {
				item.Before, item.Note = d, "so far the brokers' default"
			}
		}
		ch.Items = append(ch.Items, item)
	}
	for _, k := range keys(before) {
		value, set := own[k]
		if _, declared := c.Config[k]; declared || !set || skip(k) {
			continue
		}
		item := resource.Item{Path: "config." + k, Action: resource.Delete, Before: value, Note: "back to the brokers' default"}
		if d, ok := defaults[k]; ok {
			item.After = d
		}
		ch.Items = append(ch.Items, item)
	}
}
