package topic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"collect/hclspec/schema"
	"collect/planner/resource"
	"collect/providers/internal/kafkaclient"
	"collect/runtime/flow"
)

// ErrAbsent is what Resolve gives while there is no development broker: then it has no topics.
var ErrAbsent = errors.New("there is no development broker yet")

// Options connect the kind with the rest of the program.
type Options struct {
	// Resolve gives the address of the development broker for its token, or ErrAbsent.
	Resolve func(token string) (string, error)
	// FS is where the files of the provider lie; nil: they are not looked at beforehand.
	FS flow.FS
	// Wait bounds how long brokers may take to show a change; 0: 30 s.
	Wait int
}

// Topics is the kind "topic".
type Topics struct {
	o Options
}

var _ resource.Kind = (*Topics)(nil)

// New makes the kind.
func New(o Options) *Topics {
	if o.Wait == 0 {
		o.Wait = 30
	}
	return &Topics{o: o}
}

// Name is the first part of the addresses.
func (t *Topics) Name() string { return "topic" }

// cluster is where some of the objects are.
type cluster struct {
	cfg   Config            // of any of them; for its provider
	names map[string]string // of topics, by address
}

// admin makes a client for a cluster. Its errors name the brokers.
func (t *Topics) admin(c Config) (*kafkaclient.Admin, error) {
	brokers, err := c.Provider.Resolve(t.o.Resolve)
	if err != nil {
		return nil, err
	}
	if t.o.FS != nil {
		if err := c.Provider.CheckFiles(t.o.FS); err != nil {
			return nil, fmt.Errorf("provider.kafka: %w", err)
		}
	}
	return kafkaclient.NewAdmin(c.Provider, brokers)
}

// providerKey gives what makes two provider settings the same cluster and the same user.
func providerKey(p any) string {
	raw, err := json.Marshal(p)
	if err != nil {
		return fmt.Sprint(p)
	}
	return string(raw)
}

// Read describes the wanted topics and the known ones that exist. The topics of a cluster that does not answer are Unread.
func (t *Topics) Read(ctx context.Context, want []*resource.Object, known []*resource.Known) ([]*resource.Live, error) {
	clusters := map[string]*cluster{}
	var order []string
	add := func(key, address string, c Config) {
		if clusters[key] == nil {
			clusters[key] = &cluster{cfg: c, names: map[string]string{}}
			order = append(order, key)
		}
		clusters[key].names[address] = c.Name
	}
	wanted := map[string]bool{}
	var errs []error
	for _, w := range want {
		wanted[w.Address] = true
		c, err := decode(w.Want, w.Secrets)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", w.Address, err))
			continue
		}
		add(providerKey(w.Want["provider"]), w.Address, c)
	}
	for _, k := range known {
		if wanted[k.Address] {
			continue
		}
		c, err := fromKnown(k, want)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", k.Address, err))
			continue
		}
		add(providerKey(k.Applied["provider"]), k.Address, c)
	}
	slices.Sort(order)
	var out []*resource.Live
	for _, key := range order {
		out = append(out, t.readCluster(ctx, clusters[key])...)
	}
	return out, errors.Join(errs...)
}

// fromKnown makes a configuration of what state remembers. Secrets are those of a wanted topic on the same cluster.
func fromKnown(k *resource.Known, want []*resource.Object) (Config, error) {
	tree := map[string]any{"name": k.Identity["name"]}
	var secrets schema.Secrets
	if p := k.Applied["provider"]; p != nil {
		tree["provider"] = p
		for _, w := range want {
			if providerKey(w.Want["provider"]) == providerKey(p) {
				secrets = w.Secrets
			}
		}
	}
	return decode(tree, secrets)
}

func (t *Topics) readCluster(ctx context.Context, c *cluster) []*resource.Live {
	addresses := make([]string, 0, len(c.names))
	names := make([]string, 0, len(c.names))
	for a, n := range c.names {
		addresses = append(addresses, a)
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	slices.Sort(addresses)
	slices.Sort(names)
	id, found, err := t.describe(ctx, c.cfg, names)
	if errors.Is(err, ErrAbsent) {
		return nil
	}
	var out []*resource.Live
	for _, a := range addresses {
		if err != nil {
			out = append(out, &resource.Live{Address: a, Unread: err.Error()})
			continue
		}
		if topic := found[c.names[a]]; topic != nil {
			out = append(out, liveOf(a, id, topic))
		}
	}
	return out
}

func (t *Topics) describe(ctx context.Context, c Config, names []string) (id string, found map[string]*kafkaclient.Topic, err error) {
	a, err := t.admin(c)
	if err != nil {
		return "", nil, err
	}
	defer a.Close()
	if id, err = a.ClusterID(ctx); err != nil {
		return "", nil, err
	}
	found, err = a.Describe(ctx, names)
	return id, found, err
}

// liveOf gives a topic as the planner sees it: with the settings that are its own.
func liveOf(address, clusterID string, d *kafkaclient.Topic) *resource.Live {
	own := map[string]string{}
	for k, e := range d.Config {
		if e.Own {
			own[k] = e.Value
		}
	}
	defaults, reported := map[string]any{}, map[string]any{}
	for k, e := range d.Config {
		reported[k] = e.Value
		if e.Default != "" {
			defaults[k] = e.Default
		}
	}
	have := tree(d.Name, d.Partitions, d.Replicas, own)
	raw, _ := json.Marshal(have) // strings and numbers: it cannot fail
	h := fnv.New64a()
	h.Write(raw)
	h.Write([]byte(clusterID + d.ID))
	return &resource.Live{
		Address: address, Have: have, Identity: map[string]string{"cluster": clusterID, "id": d.ID, "name": d.Name},
		Basis: fmt.Sprintf("%016x", h.Sum64()), Figures: map[string]any{"settings": reported, "defaults": defaults},
	}
}

// unread is the error of a topic that could not be read.
func unread(address string, live *resource.Live) error {
	return &resource.Problem{
		Summary: "Kafka is not reachable",
		Detail: fmt.Sprintf("%s cannot be planned: %s. Start the broker, correct the provider's brokers, or plan without topics with -refresh=false.",
			address, strings.TrimSuffix(live.Unread, ".")),
	}
}
