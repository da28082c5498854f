package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"collect/runtime/flow"
	"collect/runtime/flow/host"
	"collect/runtime/pipeline/orphan"
	"collect/runtime/pipeline/registry"
	"collect/runtime/supervisor/api"
)

// dumpPool bounds the memory that a dump keeps for reuse.
const dumpPool = 16 << 20

// Channels lists the channels of an agent: those that it declares, and those that left its configuration and are still on disk.
func (d Data) Channels(id string) ([]api.Channel, error) {
	spec, err := d.spec(id)
	if err != nil {
		return nil, err
	}
	all := map[string]api.Channel{}
	for _, c := range spec.Channels {
		all[c.Name] = api.Channel{Name: c.Name, Type: c.Type, Stores: d.Registry.Inspector(c.Type) != nil}
	}
	names, err := orphan.Names(host.FS(), d.dir(id))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if c, declared := all[name]; declared && c.Stores {
			continue
		}
		typ, err := d.typeOf(id, name)
		if err != nil {
			return nil, err
		}
		if _, declared := all[name]; typ != "" || !declared {
			all[name] = api.Channel{Name: name, Type: typ, Stores: d.Registry.Inspector(typ) != nil}
		}
	}
	var out []api.Channel
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, all[name])
	}
	return out, nil
}

// typeOf finds what type of channel left something in a directory.
func (d Data) typeOf(id, channel string) (string, error) {
	dir, err := host.FS().OpenDir(orphan.DataDir(d.dir(id), channel))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer dir.Close()
	return d.Registry.TypeOf(dir), nil
}

// Inspect tells what a channel's directory holds.
func (d Data) Inspect(id string, c api.Channel) (api.ChannelReport, error) {
	return d.look(id, c, func(i *registry.Inspector, dir flow.Dir) (flow.ChannelReport, error) { return i.Read(dir) })
}

// Verify is Inspect that checks everything.
func (d Data) Verify(id string, c api.Channel) (api.ChannelReport, error) {
	return d.look(id, c, func(i *registry.Inspector, dir flow.Dir) (flow.ChannelReport, error) { return i.Verify(dir) })
}

// Dump gives the batches of a channel that wait, with all set whatever can be read, until yield says false.
func (d Data) Dump(id string, c api.Channel, all bool, yield func(*flow.Batch) bool) (api.ChannelReport, error) {
	return d.look(id, c, func(i *registry.Inspector, dir flow.Dir) (flow.ChannelReport, error) {
		return i.Dump(dir, flow.NewPool(dumpPool), all, yield)
	})
}

// Repair sets aside what is damaged in a channel of an agent that does not run. It holds the agent's lock meanwhile: when another process
// has it, that is an [api.HeldError].
func (d Data) Repair(id string, c api.Channel) (r api.ChannelReport, err error) {
	lock, err := api.TakeLock(filepath.Join(d.Layout.AgentDir(id), "lock"), "", "channel repair")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	return d.look(id, c, func(i *registry.Inspector, dir flow.Dir) (flow.ChannelReport, error) {
		return i.Repair(dir, host.Rand())
	})
}

// look asks something about a channel's directory; one that was not made yet holds nothing.
func (d Data) look(id string, c api.Channel, ask func(*registry.Inspector, flow.Dir) (flow.ChannelReport, error)) (api.ChannelReport, error) {
	i := d.Registry.Inspector(c.Type)
	if i == nil {
		return api.ChannelReport{}, fmt.Errorf("a channel of type %q stores nothing", c.Type)
	}
	path := orphan.DataDir(d.dir(id), c.Name)
	dir, err := host.FS().OpenDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return reportOf(flow.ChannelReport{}, c, path), nil
	}
	if err != nil {
		return api.ChannelReport{}, fmt.Errorf("open channel: %w", err)
	}
	defer dir.Close()
	r, err := ask(i, dir)
	return reportOf(r, c, path), err
}

// reportOf gives a report the form in which it leaves the data plane.
func reportOf(r flow.ChannelReport, c api.Channel, dir string) api.ChannelReport {
	out := api.ChannelReport{
		Type: c.Type, Dir: dir, UUID: r.Channel, Version: r.Version, Durable: r.Durable, Last: r.Last, Events: r.Events, Waiting: r.Waiting,
		Segments: []api.ChannelSegment{}, Readers: []api.ChannelReader{}, Positions: r.Positions, Damage: []api.ChannelDamage{},
		SetAside: append([]string{}, r.SetAside...),
	}
	if out.Positions == nil {
		out.Positions = map[string]uint64{}
	}
	for _, s := range r.Segments {
		out.Segments = append(out.Segments, api.ChannelSegment(s))
	}
	for _, k := range r.Readers {
		out.Readers = append(out.Readers, api.ChannelReader(k))
	}
	for _, p := range r.Damage {
		out.Damage = append(out.Damage, api.ChannelDamage(p))
	}
	return out
}
