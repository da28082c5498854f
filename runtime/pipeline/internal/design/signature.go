package design

import (
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
		panic("design: a spec that is not JSON: " + err.Error())
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		panic("design: " + err.Error())
	}
	raw, _ = json.Marshal(schema.WithoutPlaces(tree)) // it was JSON just now
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// fingerprint is the part of a signature that changes with the secrets that v names. Signatures stay in memory.
func fingerprint(secrets schema.Secrets, v any) []string {
	raw, _ := json.Marshal(v)
	var tree any
	_ = json.Unmarshal(raw, &tree) // it was marshalled just now
	var used []string
	var walk func(any)
	walk = func(v any) {
		switch x := v.(type) {
		case map[string]any:
			if name, ok := x["secret"].(string); ok {
				used = append(used, name+"="+secrets[name])
			}
			for _, e := range x {
				walk(e)
			}
		case []any:
			for _, e := range x {
				walk(e)
			}
		}
	}
	walk(tree)
	slices.Sort(used)
	return used
}

func without(c schema.Config, name string) schema.Config {
	if _, ok := c[name]; !ok {
		return c
	}
	c = maps.Clone(c)
	delete(c, name)
	return c
}
