// Package orphan finds and gives up orphans. An orphan is a durable channel that left the configuration with events in it. Its directory
// stays until the channel is declared again or its loss is confirmed.
package orphan

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/datadir"
	"collect/runtime/pipeline/registry"
	"collect/runtime/supervisor/api"
)

const channelPrefix = "channel."

// Why is what people read about one.
const Why = "it left the configuration and was not empty in time"

// Loss is what may be lost of a channel: never more events than that.
type Loss struct {
	Channel string
	Events  int64
}

// Stored lists what lies in the directories of channels below an agent's data, declared or not, sorted by name; empty ones are left
// out, and those that but names; nil names none. It changes nothing. What cannot be read has api.UnknownEvents and says why.
func Stored(types *registry.Registry, fsys flow.FS, dir string, but func(channel string) bool) ([]api.Orphan, error) {
	names, err := Names(fsys, dir)
	if err != nil {
		return nil, err
	}
	var out []api.Orphan
	for _, name := range names {
		if but != nil && but(name) {
			continue
		}
		events, bytes, err := storedIn(types, fsys, DataDir(dir, name))
		switch {
		case err != nil:
			out = append(out, api.Orphan{Channel: name, Events: api.UnknownEvents, Why: err.Error()})
		case events > 0:
			out = append(out, api.Orphan{Channel: name, Events: events, Bytes: bytes})
		}
	}
	return out, nil
}

// Names lists the channels that have a directory below an agent's data, declared or not, sorted.
func Names(fsys flow.FS, dir string) ([]string, error) {
	infos, err := datadir.List(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	var names []string
	for _, in := range infos {
		if name, ok := strings.CutPrefix(in.Name, channelPrefix); ok && in.Mode.IsDir() {
			names = append(names, name)
		}
	}
	return names, nil
}

// DataDir is where a channel's own files lie below an agent's data.
func DataDir(dir, channel string) string { return path.Join(dir, channelPrefix+channel, "data") }

func storedIn(types *registry.Registry, fsys flow.FS, dir string) (events, bytes int64, err error) {
	d, err := fsys.OpenDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	defer d.Close()
	return types.Stored(d)
}

// Discard removes a channel of an agent that does not run, unless it holds more than may be lost. Nobody else may use its data.
func Discard(types *registry.Registry, fsys flow.FS, dir string, l Loss) error {
	stored, err := Stored(types, fsys, dir, func(channel string) bool { return channel != l.Channel })
	if err != nil {
		return err
	}
	for _, o := range stored {
		if o.Events > l.Events {
			return TooMany(o, l)
		}
	}
	return datadir.Remove(fsys, dir, channelPrefix+l.Channel)
}

// TooMany says why a channel is not given up.
func TooMany(o api.Orphan, l Loss) error {
	return fmt.Errorf("channel %s holds %d events, and the loss of %d is confirmed", o.Channel, o.Events, l.Events)
}
