package render

import (
	"sort"
	"strings"
	"time"

	"collect/planner"
	"collect/planner/resource"
)

// addressColumn is where the text of progress lines begins.
const addressColumn = 24

// Progress shows how an apply goes on: one line for each step where steps do not interrupt each other.
func (w *Writer) Progress(e planner.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.flush()
	switch e.Kind {
	case planner.Started:
		delete(w.closed, e.Address)
	case planner.Progress:
		w.step(e)
	case planner.Warned:
		w.progressLine(e.Address, w.paint(yellow, "warning: ")+safe(e.Line))
	case planner.Failed:
		why := "unknown"
		if e.Err != nil {
			why = e.Err.Error()
		}
		w.progressLine(e.Address, w.paint(red+";"+bold, "failed: ")+safe(why))
	case planner.Done:
		switch {
		case w.closed[e.Address]:
		case w.open == e.Address:
			w.open = ""
			w.line(" done (", resource.Span(e.Elapsed), ")")
		default:
			w.progressLine(e.Address, "done ("+resource.Span(e.Elapsed)+")")
		}
	}
}

// step is a word from a running step. The last one, which tells the outcome, ends the line of the one before.
func (w *Writer) step(e planner.Event) {
	text := safe(e.Line)
	if strings.HasPrefix(text, "ready") || strings.HasPrefix(text, "removed") {
		w.closed[e.Address] = true
		if w.open == e.Address {
			w.open = ""
			w.line(" ", text)
			return
		}
		w.progressLine(e.Address, text)
		return
	}
	w.endLine()
	w.put("  ", pad(safe(e.Address), addressColumn), text, " …")
	w.open = e.Address
}

func (w *Writer) progressLine(address, text string) {
	w.endLine()
	w.line("  ", pad(safe(address), addressColumn), text)
}

// endLine ends a progress line that waits for its outcome.
func (w *Writer) endLine() {
	if w.open != "" {
		w.open = ""
		w.put("\n")
	}
}

// ApplyTable shows how an apply ended: one line when all is done, otherwise a table.
func (w *Writer) ApplyTable(a *planner.Applied) {
	w.show(func() {
		w.line()
		if !a.OK() {
			w.table(a)
		}
		head := w.paint(green+";"+bold, "Applied: ")
		if !a.OK() {
			head = w.paint(red+";"+bold, "Not everything was applied: ")
		}
		s := counted(a.Count(), "added", "changed", "destroyed", "adopted", "forgotten") + " in " + resource.Span(a.Elapsed) + "."
		if a.Revision > 0 {
			s += " Revision " + resource.Number(int64(a.Revision))
			if a.Commit != "" {
				s += " (commit " + safe(short(a.Commit)) + ")"
			}
			s += "."
		}
		w.line(head, s)
		if !a.OK() {
			w.line()
			w.line("What was done stays. Once the cause is gone, collect apply goes on from here.")
		}
	})
}

func short(commit string) string { return commit[:min(7, len(commit))] }

// table lists what was done, what failed and why, and what was skipped because of it.
func (w *Writer) table(a *planner.Applied) {
	column := addressColumn
	for _, r := range a.Results {
		column = max(column, min(48, columns(safe(r.Address))+2))
	}
	rank := map[planner.EventKind]int{planner.Done: 0, planner.Failed: 1, planner.Skipped: 2}
	results := append([]planner.Result(nil), a.Results...)
	sort.SliceStable(results, func(i, j int) bool { return rank[results[i].Outcome] < rank[results[j].Outcome] })
	for _, r := range results {
		word, style, why := "done", green, resource.Span(r.Elapsed.Round(time.Millisecond))
		switch r.Outcome {
		case planner.Failed:
			word, style, why = "failed", red, safe(r.Err)
		case planner.Skipped:
			word, style, why = "skipped", yellow, because(r.Because)
		}
		w.line("  ", w.paint(style, word), strings.Repeat(" ", 9-len(word)), pad(safe(r.Address), column), why)
	}
	w.line()
}

// because says why a step was skipped: it waited for another, or the apply was ended.
func because(why string) string {
	if strings.Contains(why, ".") && !strings.Contains(why, " ") {
		return safe(why) + " failed"
	}
	return safe(why)
}

// Outputs shows output values.
func (w *Writer) Outputs(outputs []planner.Output) {
	w.show(func() {
		w.line()
		w.line(w.paint(bold, "Outputs:"))
		column := 0
		for _, o := range outputs {
			column = max(column, columns(safe(o.Name)))
		}
		for _, o := range outputs {
			v := value(o.Value)
			if o.Sensitive {
				v = "(sensitive)"
			}
			name := safe(o.Name)
			w.line("  ", name, strings.Repeat(" ", column-columns(name)), " = ", v)
		}
	})
}
