package cli

import (
	"path/filepath"
	"sort"
	"strings"

	"collect/hclspec"
	"collect/hclspec/schema"
	"collect/planner/cli/internal/words"
	"collect/runtime/supervisor/api"
)

// writtenPaths lists the directories that an installation writes: its own, what sinks write to, and what sources rename or
// delete in.
func writtenPaths(cfg *hclspec.Config, types schema.Types, l api.Layout) []string {
	set := map[string]bool{l.Data: true, atBoot(l.Run): true}
	for _, a := range cfg.Agents {
		for _, s := range a.Spec.Sinks {
			if dir := constantDir(s.Config["path"]); dir != "" {
				set[dir] = true
			}
		}
		for _, s := range a.Spec.Sources {
			t, ok := types.Lookup(schema.Source, s.Type)
			if !ok || s.Type == "tail" && s.Config["delete"] == nil {
				continue
			}
			if attr, ok := t.Block.Attr("path"); ok && attr.Path {
				if dir, ok := s.Config["path"].(string); ok && filepath.IsAbs(dir) {
					set[filepath.Clean(dir)] = true
				}
			}
		}
	}
	return withoutInner(words.Sorted(set))
}

// atBoot gives the directory that is there after a boot and in which the runtime directory is made.
func atBoot(run string) string {
	for _, base := range []string{"/tmp", "/run"} {
		if strings.HasPrefix(run, base+"/") {
			return base
		}
	}
	return run
}

// constantDir gives the directory that a sink's path always lies in, "" when that is not on this machine.
func constantDir(v any) string {
	text := ""
	switch x := v.(type) {
	case string:
		text = x
	case map[string]any:
		src, ok := x["expr"].(string)
		if !ok {
			return ""
		}
		text, _, _ = strings.Cut(strings.TrimPrefix(src, `"`), "${")
	}
	text = strings.TrimPrefix(text, "file://")
	if !filepath.IsAbs(text) {
		return ""
	}
	if strings.HasSuffix(text, "/") {
		return filepath.Clean(text)
	}
	return filepath.Dir(text)
}

// withoutInner leaves out what lies inside another one of the sorted paths.
func withoutInner(paths []string) []string {
	sort.Strings(paths)
	var out []string
	for _, p := range paths {
		if n := len(out); n > 0 && strings.HasPrefix(p, out[n-1]+"/") {
			continue
		}
		out = append(out, p)
	}
	return out
}
