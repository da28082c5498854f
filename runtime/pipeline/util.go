package pipeline

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"

	"collect/hclspec/schema"
)

// signature identifies what something is made of: the hash of its JSON, without places in files.
func signature(parts ...any) string {
	raw, err := json.Marshal(parts)
	if err != nil {
		panic("pipeline: a spec that is not JSON: " + err.Error())
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		panic("pipeline: " + err.Error())
	}
	raw, _ = json.Marshal(schema.WithoutPlaces(tree)) // it was JSON just now
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

func without(c schema.Config, name string) schema.Config {
	if _, ok := c[name]; !ok {
		return c
	}
	c = maps.Clone(c)
	delete(c, name)
	return c
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func sortedValues[K cmp.Ordered, V any](m map[K]V) []V {
	list := make([]V, 0, len(m))
	for _, k := range sortedKeys(m) {
		list = append(list, m[k])
	}
	return list
}
