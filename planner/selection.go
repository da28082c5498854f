package planner

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
)

// selection says which objects a plan is about: -target and -exclude.
type selection struct {
	all     bool
	targets []string
	exclude []string
	keep    map[string]bool   // addresses that were decided by references
	pulled  map[string]string // address -> the target that pulled it in
}

// matches says whether a target means an address: the object itself, or all instances of it.
func matches(target, address string) bool {
	return target == address || len(address) > len(target) && address[len(target)] == '[' && strings.HasPrefix(address, target)
}

func matchesAny(targets []string, address string) bool {
	return slices.ContainsFunc(targets, func(t string) bool { return matches(t, address) })
}

// selectObjects follows references. To make something, what it refers to is needed; to take something away, what refers to it
// has to go first. What is excluded is left alone, and so is what cannot be done without it.
func selectObjects(deps map[string][]string, o Options) *selection {
	s := &selection{targets: o.Targets, exclude: o.Excludes, keep: map[string]bool{}, pulled: map[string]string{}}
	if len(o.Targets) == 0 && len(o.Excludes) == 0 {
		s.all = true
		return s
	}
	along := deps
	if o.Destroy != (len(o.Excludes) > 0) {
		along = reversed(deps)
	}
	chosen := o.Targets
	if len(o.Excludes) > 0 {
		chosen = o.Excludes
	}
	type from struct{ address, by string }
	var work []from
	for a := range deps {
		if matchesAny(chosen, a) {
			s.keep[a] = true
			work = append(work, from{a, a})
		}
	}
	slices.SortFunc(work, func(a, b from) int { return strings.Compare(a.address, b.address) })
	for len(work) > 0 {
		f := work[0]
		work = work[1:]
		for _, next := range along[f.address] {
			if !s.keep[next] {
				s.keep[next] = true
				s.pulled[next] = f.by
				work = append(work, from{next, f.by})
			}
		}
	}
	return s
}

func reversed(deps map[string][]string) map[string][]string {
	out := make(map[string][]string, len(deps))
	for a, on := range deps {
		for _, d := range on {
			out[d] = append(out[d], a)
		}
	}
	for _, users := range out {
		slices.Sort(users)
	}
	return out
}

// has says whether the plan is about an address.
func (s *selection) has(address string) bool {
	switch {
	case s.all:
		return true
	case len(s.exclude) > 0:
		return !s.keep[address] && !matchesAny(s.exclude, address)
	}
	return s.keep[address] || matchesAny(s.targets, address)
}

// pulledBy names the target that pulled an object in.
func (s *selection) pulledBy(address string) string {
	if len(s.targets) == 0 || matchesAny(s.targets, address) {
		return ""
	}
	return s.pulled[address]
}

// checkFlags reports addresses that mean nothing.
func (b *builder) checkFlags(context.Context) {
	if len(b.opt.Targets)+len(b.opt.Excludes)+len(b.opt.Replace) == 0 {
		return
	}
	known := make([]string, 0, len(b.kindOf))
	for a := range b.kindOf {
		known = append(known, a)
	}
	sort.Strings(known)
	b.diags = append(b.diags, checkAddresses("-target", b.opt.Targets, known)...)
	b.diags = append(b.diags, checkAddresses("-exclude", b.opt.Excludes, known)...)
	b.diags = append(b.diags, checkAddresses("-replace", b.opt.Replace, known)...)
	b.checkReplace(known)
}

// checkReplace reports a -replace that would start nothing again: what was asked for is not left out in silence.
func (b *builder) checkReplace(known []string) {
	for _, r := range b.opt.Replace {
		why := ""
		for _, a := range known {
			if !matches(r, a) {
				continue
			}
			if why = b.irreplaceable(a); why == "" {
				break
			}
		}
		if why != "" {
			b.diags = append(b.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Nothing to replace", Detail: fmt.Sprintf("-replace=%s: %s", r, why)})
		}
	}
}

func (b *builder) irreplaceable(address string) string {
	switch {
	case b.opt.Destroy:
		return "a plan that destroys starts nothing again."
	case b.kindOf[address] == KindTopic:
		return "a topic has nothing that could be started again; only agents and the development broker have."
	case !b.sel.has(b.whole(address)):
		return "-target or -exclude leaves it out of this plan."
	}
	return ""
}

// checkAddresses reports addresses of the command line that mean nothing. flag is "-target".
func checkAddresses(flag string, given []string, known []string) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, g := range given {
		if slices.ContainsFunc(known, func(k string) bool { return matches(g, k) }) {
			continue
		}
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Unknown address", Detail: unknownAddress(flag, g, known)})
	}
	return diags
}

func unknownAddress(flag, given string, known []string) string {
	for _, k := range known {
		if strings.HasPrefix(given, k+".") {
			return fmt.Sprintf("%s takes whole objects, and %s is a part of %s. Write %s=%s.", flag, given, k, flag, quoteAddress(k))
		}
	}
	near, best := "", 4
	for _, k := range known {
		if d := levenshtein.Distance(given, k, nil); d < best {
			near, best = k, d
		}
	}
	text := fmt.Sprintf("%s=%s: neither the configuration nor the installation has an object of this address.", flag, given)
	if near != "" {
		text += fmt.Sprintf(" Did you mean %s?", near)
	} else {
		text += " \"collect state list\" lists those that exist."
	}
	return text
}

// quoteAddress quotes an address with quotes in it for a shell.
func quoteAddress(a string) string {
	if strings.ContainsAny(a, `"[`) {
		return "'" + a + "'"
	}
	return a
}
