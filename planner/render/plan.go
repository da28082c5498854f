package render

import (
	"strings"

	"collect/planner"
	"collect/planner/resource"
)

// noteColumn is where notes behind addresses begin.
const noteColumn = 36

// Plan shows what an apply would do: new and changed things, then what goes, then losses, and the summary.
func (w *Writer) Plan(p *planner.Plan) {
	w.show(func() {
		w.planHead(p)
		for i, c := range p.Changes {
			if i > 0 || p.Installation.Fresh || p.Destroy || len(p.Protected) > 0 {
				w.line()
			}
			w.change(c)
		}
		w.planOutputs(p)
		w.planNotes(p)
		w.planEnd(p)
	})
}

func (w *Writer) planHead(p *planner.Plan) {
	for _, k := range p.Protected {
		w.line(w.paint(red+";"+bold, "  ! "+pad(safe(k.Address), noteColumn)), "stays: ", safe(k.Why))
	}
	name := `"` + safe(p.Installation.Name) + `"`
	n := len(p.Changes)
	switch {
	case n == 0 && !p.Differs():
	case p.Destroy && p.Differs():
		w.line("collect will destroy ", plural(n, "object"), " of installation ", name, "; what was collected stays where it is")
	case p.Installation.Fresh:
		w.line("collect will create ", plural(n, "object"), " in installation ", name, " (data in ", safe(p.Installation.DataDir), ")")
	}
}

// look is how an action is written.
func look(a resource.Action) (symbol, style string) {
	switch a {
	case resource.Create:
		return "+", green
	case resource.Update:
		return "~", yellow
	case resource.Delete:
		return "-", red
	case resource.Replace:
		return "-/+", yellow
	case resource.Start:
		return "▶", green
	case resource.Adopt:
		return "=", cyan
	case resource.Forget:
		return ".", cyan
	}
	return " ", ""
}

// explained is what an action means where its symbol does not say it.
func explained(a resource.Action) string {
	switch a {
	case resource.Start:
		return "is started"
	case resource.Adopt:
		return "exists already and is as declared: it is remembered from now on"
	case resource.Forget:
		return "is not declared any more and was not made here: it stays as it is"
	}
	return ""
}

func (w *Writer) change(c *resource.Change) {
	symbol, style := look(c.Action)
	var notes []string
	meaning := explained(c.Action)
	if c.Action == resource.Forget && c.Reason != "" { // the reason says why it is forgotten
		meaning = "is only forgotten"
	}
	for _, s := range []string{meaning, safe(c.Reason), safe(c.Note)} {
		if s != "" {
			notes = append(notes, s)
		}
	}
	if c.Pulled != "" {
		notes = append(notes, "pulled in by "+safe(c.Pulled))
	}
	head := "  " + w.paint(style+";"+bold, symbol) + " "
	address := safe(c.Address)
	if len(notes) == 0 {
		w.line(head, w.paint(bold, address))
	} else {
		w.line(head, w.paint(bold, address), strings.Repeat(" ", max(2, noteColumn+1-columns(symbol)-columns(address))), strings.Join(notes, "; "))
	}
	w.items(c)
}

func (w *Writer) planOutputs(p *planner.Plan) {
	if p.Serial == 0 || p.Installation.Fresh || p.Destroy { // nothing is remembered that they could differ from
		return
	}
	column := 0
	for _, o := range p.Outputs {
		if changes(o) {
			column = max(column, columns(safe(o.Name)))
		}
	}
	if column == 0 {
		return
	}
	w.line()
	w.line("Outputs:")
	for _, o := range p.Outputs {
		if changes(o) {
			symbol, style := look(o.Action)
			name := safe(o.Name)
			w.line("  ", w.paint(style, symbol), " ", name, strings.Repeat(" ", column-columns(name)), " = ", outputChange(o))
		}
	}
}

func changes(o planner.Output) bool { return o.Action != resource.NoOp && o.Action != "" }

func outputChange(o planner.Output) string {
	switch {
	case o.Sensitive:
		return "(sensitive)"
	case o.Action == resource.Create:
		return value(o.Value)
	case o.Action == resource.Delete:
		return value(o.Before)
	}
	return value(o.Before) + " -> " + value(o.Value)
}

func (w *Writer) planNotes(p *planner.Plan) {
	others := len(p.OutsideReads) + len(p.NotRead) + len(p.Warnings)
	if others > 0 || len(p.Notes) > 0 && len(p.Changes) > 0 {
		w.line()
	}
	for _, n := range p.Notes {
		address := safe(n.Address)
		w.line("  ", w.paint(cyan+";"+bold, "·"), " ", w.paint(bold, address), strings.Repeat(" ", max(2, noteColumn-columns(address))), safe(n.Text))
	}
	if len(p.Notes) > 0 && (others > 0 || !p.Differs()) {
		w.line()
	}
	if len(p.OutsideReads) > 0 {
		w.line("Reads files outside of ", safe(p.Installation.Root), ": ", list(p.OutsideReads, len(p.OutsideReads)))
	}
	if len(p.NotRead) > 0 {
		w.line("Not compared, because of -refresh=false: ", list(p.NotRead, 8))
	}
	for _, s := range p.Warnings {
		w.line(w.paint(yellow+";"+bold, "Warning: "), safe(s))
	}
}

// list writes the first few of many.
func list(all []string, most int) string {
	out := make([]string, 0, most)
	for i, s := range all {
		if i == most {
			return strings.Join(out, ", ") + " and " + resource.Number(int64(len(all)-most)) + " more"
		}
		out = append(out, safe(s))
	}
	return strings.Join(out, ", ")
}

func (w *Writer) planEnd(p *planner.Plan) {
	name := `"` + safe(p.Installation.Name) + `"`
	c := p.Count()
	if !p.Differs() {
		switch {
		case c.Adopt+c.Forget > 0:
			w.line()
			w.line("No changes. Installation ", name, " is as declared; apply only takes note: ", strings.Join(noted(c, "to adopt", "to forget"), ", "), ".")
		case p.Destroy && len(p.Protected) == 0:
			w.line("No changes. Installation ", name, " has nothing to destroy.")
		case p.Destroy:
			w.line()
			w.line("No changes. What is left of installation ", name, " is protected.")
		default:
			w.line("No changes. Installation ", name, " is as declared.")
		}
		return
	}
	w.line()
	for _, l := range p.Losses() {
		w.line(w.paint(red+";"+bold, howMany(l)+" in "+safe(l.Address)+" would be lost"),
			growing(l), "; apply refuses without -confirm-loss="+flagAddress(l.Address))
	}
	end := ""
	switch {
	case len(p.Losses()) > 0:
		end = "  " + w.paint(red+";"+bold, lossNoun(p)+" would be lost.")
	case p.Installation.Fresh && !p.Applying:
		end = "      collect apply   to carry it out"
	case len(p.Changes) == 0:
		end = "  Only outputs change."
	case c.Change+c.Destroy > 0:
		end = "  No event is lost."
	}
	w.line(w.paint(bold, "Plan: "), counted(c, "to add", "to change", "to destroy", "to adopt", "to forget"), ".", end)
}

// lossNoun says what would be lost.
func lossNoun(p *planner.Plan) string {
	for _, l := range p.Losses() {
		if strings.HasPrefix(l.What, "event") || l.What == "" {
			return "Events"
		}
	}
	return "Data"
}

// counted writes counts; those of adopted and forgotten objects only where there are any.
func counted(c planner.Counts, add, change, destroy, adopt, forget string) string {
	return strings.Join(append([]string{figure(c.Add, add), figure(c.Change, change), figure(c.Destroy, destroy)}, noted(c, adopt, forget)...), ", ")
}

// noted counts what is only remembered.
func noted(c planner.Counts, adopt, forget string) []string {
	var s []string
	if c.Adopt > 0 {
		s = append(s, figure(c.Adopt, adopt))
	}
	if c.Forget > 0 {
		s = append(s, figure(c.Forget, forget))
	}
	return s
}

func figure(n int, what string) string { return resource.Number(int64(n)) + " " + what }
