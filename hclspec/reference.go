package hclspec

import (
	"sort"

	"collect/hclspec/expr"
	"collect/hclspec/internal/functions"
)

// FunctionDoc describes one function for the reference.
type FunctionDoc struct {
	Name, Call string // Call is how it is written: upper(str)
	Event      bool   // it may be used in expressions on events
	Doc        string
}

// FunctionDocs gives all functions of the language, sorted by name.
func FunctionDocs() []FunctionDoc {
	l := newLoader(Options{})
	per := expr.Functions()
	var out []FunctionDoc
	for name, f := range l.Funcs {
		e, everywhere := per[name]
		out = append(out, FunctionDoc{name, functions.Usage(name, f), everywhere && e.EventSafe, functions.Doc(name)})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// CollectDocs gives the arguments of the collect block: name and what it is for.
func CollectDocs() [][2]string {
	var out [][2]string
	for _, a := range collectBlock().Attrs {
		out = append(out, [2]string{a.Name, a.Doc})
	}
	return out
}
