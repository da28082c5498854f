package file

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"collect/providers/internal/codec"
	"collect/providers/internal/roll"
	"collect/runtime/flow"
)

func newRolling(cfg Config, p *roll.Path, c codec.Codec, env flow.Env) (flow.Sink, error) {
	closeWhen, err := cfg.closeWhen()
	if err != nil {
		return nil, err
	}
	files := codec.Options{Compression: cfg.Compression}
	if env.Rand != nil {
		files.Random = env.Rand.Read
	}
	if cfg.Format == "avro" {
		files.Container = "avro"
	}
	exact := cfg.Roll == nil
	o := roll.Options{
		Path: p, FileNamed: true, Codec: c, Files: files, Limits: cfg.limits(), CloseWhen: closeWhen, MaxOpen: cfg.MaxOpen,
		Final: func(n roll.Name) string { return finalName(n, exact) },
		Backend: func(url string) (roll.Backend, error) {
			dir, ok := strings.CutPrefix(url, "file://")
			if !ok {
				return nil, fmt.Errorf("%s is not a local directory", url)
			}
			return roll.Local{Tree: roll.NewTree(env.FS, dir)}, nil
		},
	}
	if cfg.Keep != nil {
		k := keeper{keep: *cfg.Keep, tree: roll.NewTree(env.FS, p.Root), log: env}
		o.Published = k.prune
	}
	return roll.New(o, env), nil
}

// finalName puts the unique part before the extension, except for the first file of a path that is to be met exactly.
func finalName(n roll.Name, exact bool) string {
	name := n.Base
	if n.Ext != "" && !strings.HasSuffix(name, n.Ext) {
		name += n.Ext
	}
	if exact && n.Part == 0 {
		return name
	}
	stem, ext := splitExt(name, n.Ext)
	if n.Part > 0 && !exact || n.Part > 1 {
		return fmt.Sprintf("%s-%s-%d%s", stem, n.Unique, n.Part, ext)
	}
	return stem + "-" + n.Unique + ext
}

// splitExt cuts a name before its extension; that of a compression comes on top: "a.txt.gz" is "a" and ".txt.gz".
func splitExt(name, compression string) (stem, ext string) {
	stem, ext = roll.SplitExt(strings.TrimSuffix(name, compression))
	return stem, ext + compression
}

// keeper removes old files.
type keeper struct {
	keep Keep
	tree *roll.Tree
	log  flow.Env
}

// prune removes files that were rolled for a path and are too many or too old. That one stays longer does no harm, so errors are
// only told.
func (k keeper) prune(ctx context.Context, dir, base string) {
	err := k.tree.Open(ctx)
	if err == nil {
		err = k.tree.Within(dir, false, func(d flow.Dir) error { return k.pruneIn(d, base) })
		if cerr := k.tree.Close(); err == nil {
			err = cerr
		}
	}
	if err != nil {
		k.log.Log.Warn("cannot remove old files", "path", base, "err", err)
	}
}

// rolled says whether this agent has rolled a file for a path. Names of other paths, and of other people's files, may begin alike.
func (k keeper) rolled(name, stem, ext string) bool {
	rest, ok := strings.CutPrefix(name, stem+"-")
	unique, _, _ := strings.Cut(rest, ".") // it has no dots
	return ok && strings.HasPrefix(rest[len(unique):], ext) && roll.IsUnique(k.log.Agent, unique)
}

func (k keeper) pruneIn(d flow.Dir, base string) error {
	all, err := d.ReadDir()
	if err != nil {
		return err
	}
	stem, ext := roll.SplitExt(base)
	files := slices.DeleteFunc(all, func(f flow.Info) bool {
		return !f.Mode.IsRegular() || f.Name != base && !k.rolled(f.Name, stem, ext)
	})
	slices.SortFunc(files, func(a, b flow.Info) int { return b.ModTime.Compare(a.ModTime) }) // newest first
	for i, f := range files {
		if k.keep.Files > 0 && i >= k.keep.Files || k.keep.Age > 0 && time.Since(f.ModTime) > k.keep.Age {
			if err := d.Remove(f.Name); err != nil {
				return err
			}
		}
	}
	return nil
}
