package planner

import (
	"encoding/json"
	"fmt"
	"sort"
	"strconv"

	"github.com/hashicorp/hcl/v2"

	"collect/hclspec"
	"collect/hclspec/schema"
	"collect/planner/resource"
)

// BrokerToken stands in specs for the address of the development broker.
const BrokerToken = "@development_broker"

// wanted is an object of the configuration with what only the planner needs of it.
type wanted struct {
	*resource.Object
	rng    hcl.Range            // of the block
	ranges map[string]hcl.Range // of its parts
}

// objectsOf lists what a configuration wants, sorted by the order of kinds and by address.
func objectsOf(cfg *hclspec.Config) ([]*wanted, error) {
	var all []*wanted
	needsBroker := false
	development := map[string]hcl.Range{}
	for _, p := range cfg.Providers {
		if p.Development && p.Type == KindBroker {
			development[p.Alias] = p.Range
		}
	}
	for _, t := range cfg.Topics {
		w, err := topicObject(t)
		if err != nil {
			return nil, err
		}
		if _, ok := development[t.Cluster]; ok {
			w.DependsOn = append(w.DependsOn, BrokerAddress)
			needsBroker = true
		}
		all = append(all, w)
	}
	for _, a := range cfg.Agents {
		w, err := agentObject(a)
		if err != nil {
			return nil, err
		}
		if usesBroker(&a.Spec) {
			w.DependsOn = append(w.DependsOn, BrokerAddress)
			needsBroker = true
		}
		all = append(all, w)
	}
	if needsBroker {
		all = append(all, brokerObject(development))
	}
	for _, w := range all {
		sort.Strings(w.DependsOn)
	}
	sort.Slice(all, func(i, j int) bool { return before(all[i].Kind, all[i].Address, all[j].Kind, all[j].Address) })
	return all, nil
}

// before is the order in which objects are shown and, where nothing else decides, carried out.
func before(kindA, a, kindB, b string) bool {
	if ra, rb := rank(kindA), rank(kindB); ra != rb {
		return ra < rb
	}
	return a < b
}

func rank(kind string) int {
	switch kind {
	case KindBroker:
		return 0
	case KindTopic:
		return 1
	}
	return 2
}

func topicObject(t *hclspec.Topic) (*wanted, error) {
	want, err := tree(t.Config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.Address, err)
	}
	o := &resource.Object{
		Address: t.Address, Kind: KindTopic, Want: want, Secrets: t.Secrets, DependsOn: append([]string(nil), t.DependsOn...),
		PreventDestroy: t.Lifecycle.PreventDestroy, IgnoreChanges: t.Lifecycle.IgnoreChanges, Places: places(t.Range, t.Ranges),
	}
	return &wanted{Object: o, rng: t.Range, ranges: t.Ranges}, nil
}

func agentObject(a *hclspec.Agent) (*wanted, error) {
	want, err := tree(&a.Spec)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.Spec.Address, err)
	}
	rng := a.Ranges[""]
	o := &resource.Object{
		Address: a.Spec.Address, Kind: KindAgent, Want: want, Secrets: a.Secrets, DependsOn: append([]string(nil), a.DependsOn...),
		PreventDestroy: a.Lifecycle.PreventDestroy, IgnoreChanges: a.Lifecycle.IgnoreChanges, Places: places(rng, a.Ranges),
	}
	return &wanted{Object: o, rng: rng, ranges: a.Ranges}, nil
}

func brokerObject(development map[string]hcl.Range) *wanted {
	rng := development[""]
	o := &resource.Object{Address: BrokerAddress, Kind: KindBroker, Want: map[string]any{}, Places: places(rng, nil)}
	return &wanted{Object: o, rng: rng}
}

// usesBroker says whether a component's provider has no brokers of its own.
func usesBroker(s *schema.AgentSpec) bool {
	for i := range s.Sources {
		if providedByBroker(s.Sources[i].Config) {
			return true
		}
	}
	for i := range s.Channels {
		if providedByBroker(s.Channels[i].Config) {
			return true
		}
	}
	for i := range s.Sinks {
		if providedByBroker(s.Sinks[i].Config) {
			return true
		}
	}
	return false
}

func providedByBroker(c schema.Config) bool {
	var provider map[string]any
	switch p := c["provider"].(type) {
	case map[string]any:
		provider = p
	case schema.Config:
		provider = p
	}
	switch brokers := provider["brokers"].(type) {
	case []any:
		return len(brokers) == 1 && brokers[0] == BrokerToken
	case []string:
		return len(brokers) == 1 && brokers[0] == BrokerToken
	}
	return false
}

// tree gives the JSON form of a value, as it will look when it comes back from a file or from a process.
func tree(v any) (map[string]any, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	out := map[string]any{}
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return out, nil
}

func places(own hcl.Range, parts map[string]hcl.Range) map[string]string {
	out := make(map[string]string, len(parts)+1)
	if own.Filename != "" {
		out[""] = place(own)
	}
	for path, r := range parts {
		if r.Filename != "" {
			out[path] = place(r)
		}
	}
	return out
}

func place(r hcl.Range) string { return r.Filename + ":" + strconv.Itoa(r.Start.Line) }

// Topics lists the topics of a configuration as objects.
func Topics(cfg *hclspec.Config) ([]*resource.Object, error) {
	var out []*resource.Object
	for _, t := range cfg.Topics {
		w, err := topicObject(t)
		if err != nil {
			return nil, err
		}
		out = append(out, w.Object)
	}
	return out, nil
}

// NeedsBroker says whether anything of a configuration uses the development broker.
func NeedsBroker(cfg *hclspec.Config) bool {
	for _, p := range cfg.Providers {
		if p.Development && p.Type == KindBroker {
			for _, t := range cfg.Topics {
				if t.Cluster == p.Alias {
					return true
				}
			}
		}
	}
	for _, a := range cfg.Agents {
		if usesBroker(&a.Spec) {
			return true
		}
	}
	return false
}
