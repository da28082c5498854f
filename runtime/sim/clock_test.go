package sim_test

import (
	"slices"
	"strings"
	"sync"
	"time"

	"collect/runtime/flow"
)

// presently makes a disk that does not tell of files whose times lie in the future.
func presently(f flow.FS) flow.FS {
	return listing(f, func(_ flow.Dir, list []flow.Info) []flow.Info {
		return slices.DeleteFunc(list, func(i flow.Info) bool { return i.ModTime.After(time.Now()) })
	})
}

// rarely makes a disk that tells of what is new in a folder only when the folder's time is not before one that was seen.
func rarely(under string) func(flow.FS) flow.FS {
	type seen struct {
		at   time.Time
		list []flow.Info
	}
	return func(f flow.FS) flow.FS {
		var mu sync.Mutex
		known := map[string]seen{}
		return listing(f, func(d flow.Dir, list []flow.Info) []flow.Info {
			info, err := d.Stats()
			if err != nil || !strings.HasPrefix(d.Path(), under) {
				return list
			}
			mu.Lock()
			defer mu.Unlock()
			if s, ok := known[d.Path()]; !ok || !info.ModTime.Before(s.at) {
				known[d.Path()] = seen{info.ModTime, slices.Clone(list)}
			}
			return slices.Clone(known[d.Path()].list)
		})
	}
}

// listing changes what folders tell.
func listing(f flow.FS, change func(flow.Dir, []flow.Info) []flow.Info) flow.FS {
	return listFS{f, change}
}

type listFS struct {
	flow.FS
	change func(flow.Dir, []flow.Info) []flow.Info
}

func (f listFS) OpenDir(path string) (flow.Dir, error) {
	d, err := f.FS.OpenDir(path)
	if err != nil {
		return nil, err
	}
	return &listDir{d, f.change}, nil
}

type listDir struct {
	flow.Dir
	change func(flow.Dir, []flow.Info) []flow.Info
}

func (d *listDir) Unwrap() flow.Dir { return d.Dir }

func (d *listDir) OpenDir(name string) (flow.Dir, error) {
	sub, err := d.Dir.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &listDir{sub, d.change}, nil
}

func (d *listDir) ReadDir() ([]flow.Info, error) {
	list, err := d.Dir.ReadDir()
	if err != nil {
		return nil, err
	}
	return d.change(d.Dir, list), nil
}
