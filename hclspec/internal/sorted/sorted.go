// Package sorted gives maps an order, so that nothing in the language is decided or said by the order of a map.
package sorted

import "sort"

// Keys gives the keys of a map in their order; never nil, so that a spec holds an empty list where there is nothing.
func Keys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
