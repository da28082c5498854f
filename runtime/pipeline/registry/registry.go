// Package registry lists the component types of a program: what they are called, what their configuration is, and how one is made.
package registry

import (
	"fmt"
	"slices"
	"strings"

	"collect/hclspec/schema"
	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/guard"
)

// Registry knows the component types that exist. It implements
// schema.Types.
type Registry struct {
	entries map[typeKey]*Entry
	storing []*Entry // channels whose data can be read without opening them, by name
}

type typeKey struct {
	kind schema.Kind
	name string
}

// Entry is one component type.
type Entry struct {
	schema.Type
	source      func(schema.Config, schema.Secrets, flow.Env) (flow.Source, error)
	interceptor func(schema.Config, schema.Secrets, flow.Env) (flow.Interceptor, error)
	channel     func(schema.Config, schema.Secrets, flow.Env) (flow.Channel, error)
	sink        func(schema.Config, schema.Secrets, flow.Env) (flow.Sink, error)
	stored      func(flow.Dir) (events, bytes int64, err error)
	inspector   *Inspector
}

// NewSource makes a source.
func (e *Entry) NewSource(c schema.Config, secrets schema.Secrets, env flow.Env) (flow.Source, error) {
	return construct(e.source, c, secrets, env)
}

// NewInterceptor makes an interceptor.
func (e *Entry) NewInterceptor(c schema.Config, secrets schema.Secrets, env flow.Env) (flow.Interceptor, error) {
	return construct(e.interceptor, c, secrets, env)
}

// NewChannel makes a channel.
func (e *Entry) NewChannel(c schema.Config, secrets schema.Secrets, env flow.Env) (flow.Channel, error) {
	return construct(e.channel, c, secrets, env)
}

// NewSink makes a sink.
func (e *Entry) NewSink(c schema.Config, secrets schema.Secrets, env flow.Env) (flow.Sink, error) {
	return construct(e.sink, c, secrets, env)
}

// construct calls a constructor. A panic of it is an error.
func construct[T any](make func(schema.Config, schema.Secrets, flow.Env) (T, error), c schema.Config, secrets schema.Secrets, env flow.Env) (made T, err error) {
	err = guard.Call(func() (err error) {
		made, err = make(c, secrets, env)
		return err
	})
	return made, err
}

// Storing adds, to a channel whose data outlive the process, what tells how much of them lies undelivered in the channel's directory.
// It must change nothing, and give 0 events for a directory of another type.
func (e Entry) Storing(stored func(flow.Dir) (events, bytes int64, err error)) Entry {
	e.stored = stored
	return e
}

// New makes a registry. Two entries of one name are a bug and panic.
func New(entries ...Entry) *Registry {
	r := &Registry{entries: map[typeKey]*Entry{}}
	for _, e := range entries {
		k := typeKey{e.Kind, e.Name}
		if r.entries[k] != nil {
			panic("registry: two " + string(e.Kind) + " types are named " + e.Name)
		}
		r.entries[k] = &e
		if e.stored != nil {
			r.storing = append(r.storing, &e)
		}
	}
	slices.SortFunc(r.storing, func(a, b *Entry) int { return strings.Compare(a.Name, b.Name) })
	return r
}

// Lookup finds a type.
func (r *Registry) Lookup(kind schema.Kind, name string) (*schema.Type, bool) {
	e, ok := r.entries[typeKey{kind, name}]
	if !ok {
		return nil, false
	}
	return &e.Type, true
}

// Entry finds the type for a component of this configuration.
func (r *Registry) Entry(kind schema.Kind, name string, c schema.Config) (*Entry, error) {
	e := r.entries[typeKey{kind, name}]
	if e == nil {
		return nil, fmt.Errorf("there is no %s type %q", kind, name)
	}
	if e.Check != nil {
		if err := e.Check(c); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// Stored asks the types of channels, one after the other, what a channel's data directory holds undelivered.
func (r *Registry) Stored(dir flow.Dir) (events, bytes int64, err error) {
	for _, e := range r.storing {
		err := guard.Call(func() (err error) {
			events, bytes, err = e.stored(dir)
			return err
		})
		if err != nil || events > 0 {
			return events, bytes, err
		}
	}
	return 0, 0, nil
}

// Names lists the types of a kind, sorted.
func (r *Registry) Names(kind schema.Kind) []string {
	var names []string
	for k := range r.entries {
		if k.kind == kind {
			names = append(names, k.name)
		}
	}
	slices.Sort(names)
	return names
}

// validator is implemented by configs with rules that tags cannot say.
type validator interface{ Validate() error }

func describe[C any](kind schema.Kind, name string, defaults func() C, about schema.About) schema.Type {
	return schema.Type{
		Kind: kind, Name: name, About: about, Block: schema.Of(defaults()),
		Check: func(c schema.Config) error {
			_, err := decode(c, nil, defaults)
			return err
		},
	}
}

func decode[C any](c schema.Config, secrets schema.Secrets, defaults func() C) (C, error) {
	cfg := defaults()
	if err := schema.Decode(c, secrets, &cfg); err != nil {
		return cfg, err
	}
	if v, ok := any(cfg).(validator); ok {
		return cfg, v.Validate()
	}
	return cfg, nil
}

func maker[C, T any](defaults func() C, make func(C, flow.Env) (T, error)) func(schema.Config, schema.Secrets, flow.Env) (T, error) {
	return func(c schema.Config, secrets schema.Secrets, env flow.Env) (T, error) {
		cfg, err := decode(c, secrets, defaults)
		if err != nil {
			var none T
			return none, err
		}
		return make(cfg, env)
	}
}

// Source makes the entry of a source type.
func Source[C any](name string, defaults func() C, about schema.About, make func(C, flow.Env) (flow.Source, error)) Entry {
	return Entry{Type: describe(schema.Source, name, defaults, about), source: maker(defaults, make)}
}

// Interceptor makes the entry of an interceptor type.
func Interceptor[C any](name string, defaults func() C, about schema.About, make func(C, flow.Env) (flow.Interceptor, error)) Entry {
	return Entry{Type: describe(schema.Interceptor, name, defaults, about), interceptor: maker(defaults, make)}
}

// Channel makes the entry of a channel type.
func Channel[C any](name string, defaults func() C, about schema.About, make func(C, flow.Env) (flow.Channel, error)) Entry {
	return Entry{Type: describe(schema.Channel, name, defaults, about), channel: maker(defaults, make)}
}

// Sink makes the entry of a sink type.
func Sink[C any](name string, defaults func() C, about schema.About, make func(C, flow.Env) (flow.Sink, error)) Entry {
	return Entry{Type: describe(schema.Sink, name, defaults, about), sink: maker(defaults, make)}
}

// Declared makes the entry of a type that the planner manages and the data plane only reads: a provider or a topic.
func Declared[C any](kind schema.Kind, name string, defaults func() C, about schema.About) Entry {
	return Entry{Type: describe(kind, name, defaults, about)}
}
