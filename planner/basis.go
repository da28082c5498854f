package planner

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"collect/planner/resource"
	"collect/planner/state"
)

// StaleError says that what a saved plan relied on has changed.
type StaleError struct{ Addresses []string }

func (e *StaleError) Error() string {
	return fmt.Sprintf("the plan is stale: %s changed after it was made. Make a new plan", strings.Join(e.Addresses, ", "))
}

// CheckBasis reads again what a plan changes, and compares it with what the plan was made from. Live figures do not count.
func CheckBasis(ctx context.Context, p *Plan, st *state.State, kinds []resource.Kind) error {
	answers := make([]map[string]string, len(kinds))
	errs := make([]error, len(kinds))
	var wg sync.WaitGroup
	for i, k := range kinds {
		want, known := p.touched(k.Name(), st)
		if len(want)+len(known) == 0 {
			continue
		}
		wg.Go(func() {
			lives, err := k.Read(ctx, want, known)
			errs[i] = err
			answers[i] = map[string]string{}
			for _, l := range lives {
				answers[i][l.Address] = l.Basis
			}
		})
	}
	wg.Wait()
	now := map[string]string{}
	for i, k := range kinds {
		if errs[i] != nil {
			return fmt.Errorf("read every %s: %w", k.Name(), errs[i])
		}
		for a, basis := range answers[i] {
			now[a] = basis
		}
	}
	var stale []string
	for _, c := range p.Changes {
		// To start something again is done once: afterwards it looks as before.
		again := c.Action == resource.Replace && st.Serial != p.Serial
		if now[c.Address] != c.Basis || again {
			stale = append(stale, c.Address)
		}
	}
	if len(stale) > 0 {
		return &StaleError{Addresses: stale}
	}
	return nil
}

// touched gives what a kind needs to read the objects that a plan changes.
func (p *Plan) touched(kind string, st *state.State) (want []*resource.Object, known []*resource.Known) {
	for _, c := range p.Changes {
		if c.Kind != kind {
			continue
		}
		if o := p.Objects[c.Address]; o != nil {
			want = append(want, o)
		}
		if k := st.Known(c.Address); k != nil {
			known = append(known, k)
		} else if c.Known != nil {
			known = append(known, c.Known)
		}
		if p.Objects[c.Address] == nil && st.Known(c.Address) == nil && c.Known == nil {
			// Found alive without being declared or remembered: only its address leads to it.
			known = append(known, &resource.Known{Address: c.Address, Kind: kind})
		}
	}
	return want, known
}
