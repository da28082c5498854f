package tfjson

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"

	"collect/planner"
	"collect/planner/cli/internal/words"
	"collect/planner/resource"
)

// Stream is the output of -json: one JSON object a line, with the message types and field names of Terraform's UI stream, version
// 1.2.
type Stream struct {
	now func() time.Time

	mu  sync.Mutex // guards enc
	enc *json.Encoder
}

// NewStream begins a stream of the program of that version.
func NewStream(w io.Writer, version string, now func() time.Time) *Stream {
	s := &Stream{enc: NewEncoder(w), now: now}
	s.send("info", "version", "collect "+version, map[string]any{"collect": version, "ui": "1.2"})
	return s
}

func (s *Stream) send(level, kind, message string, more map[string]any) {
	m := map[string]any{
		"@level": level, "@message": message, "@module": "collect.ui", "@timestamp": s.now().Format("2006-01-02T15:04:05.000000Z07:00"), "type": kind,
	}
	for k, v := range more {
		m[k] = v
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.enc.Encode(m) // a closed pipe: nobody reads, and what is under way must not stop for it
}

// Diagnostic tells a diagnostic.
func (s *Stream) Diagnostic(d *hcl.Diagnostic, files map[string]*hcl.File) {
	level, word := "error", "Error: "
	if d.Severity == hcl.DiagWarning {
		level, word = "warn", "Warning: "
	}
	s.send(level, "diagnostic", word+d.Summary, map[string]any{"diagnostic": DiagnosticOf(d, files)})
}

func (s *Stream) warning(address, text string) {
	s.send("warn", "diagnostic", "Warning: "+text, map[string]any{"diagnostic": Diagnostic{Severity: "warning", Summary: text, Address: address}})
}

// resourceJSON names an object as Terraform does.
func resourceJSON(address, kind string) map[string]any {
	name, key := NameOf(address)
	return map[string]any{
		"addr": address, "module": "", "resource": address, "implied_provider": "collect", "resource_type": kind, "resource_name": name, "resource_key": key,
	}
}

// NameOf splits agent.a["5"] into a and "5", and agent.a["5"].channel.c into a.channel.c and "5"; the key is nil for objects without
// instances.
func NameOf(address string) (name string, key any) {
	_, name, _ = strings.Cut(address, ".")
	head, index, ok := strings.Cut(name, "[")
	if !ok {
		return name, nil
	}
	part := ""
	if end := strings.LastIndexByte(index, ']'); end >= 0 { // a part's name holds none
		index, part = index[:end], index[end+1:]
	}
	if err := json.Unmarshal([]byte(index), &key); err != nil {
		key = index
	}
	return head + part, key
}

// uiAction is the word of the UI stream for an action.
func uiAction(a resource.Action) string {
	switch a {
	case resource.NoOp, resource.Adopt:
		return "noop"
	case resource.Start:
		return "update"
	case resource.Forget:
		return "remove"
	}
	return string(a)
}

// Plan tells a plan, which an operation of that name shows.
func (s *Stream) Plan(p *planner.Plan, operation string) {
	for _, c := range p.Changes {
		change := map[string]any{"resource": resourceJSON(c.Address, c.Kind), "action": uiAction(c.Action)}
		if reason := reasonOf(p, c); reason != "" {
			change["reason"] = reason
		}
		if c.Action == resource.Adopt {
			change["importing"] = map[string]any{"id": c.Address}
		}
		if len(c.Loss) > 0 {
			change["loss"] = c.Loss
		}
		s.send("info", "planned_change", fmt.Sprintf("%s: Plan to %s", c.Address, c.Action), map[string]any{"change": change})
	}
	for _, k := range p.Protected {
		s.warning(k.Address, fmt.Sprintf("%s is protected and kept: %s", k.Address, k.Why))
	}
	for _, n := range p.Notes {
		s.send("info", "note", n.Address+": "+n.Text, map[string]any{"note": n})
	}
	for _, w := range p.Warnings {
		s.warning("", w)
	}
	if len(p.OutsideReads) > 0 {
		s.send("info", "outside_reads", "Reads files outside of "+p.Installation.Root+": "+strings.Join(p.OutsideReads, ", "), map[string]any{"outside_reads": p.OutsideReads})
	}
	s.summary(p.Count(), "plan", "Plan: %d to add, %d to change, %d to destroy.")
	if operation == "plan" {
		s.outputs(p, true)
	}
}

// reasonOf gives Terraform's word for the reason of a change.
func reasonOf(p *planner.Plan, c *resource.Change) string {
	switch {
	case c.Action == resource.Delete && !p.Destroy:
		return "delete_because_no_resource_config"
	case c.Action == resource.Replace:
		return "requested"
	}
	return ""
}

func (s *Stream) summary(n planner.Counts, operation, format string) {
	s.send("info", "change_summary", fmt.Sprintf(format, n.Add, n.Change, n.Destroy), map[string]any{
		"changes": map[string]any{"add": n.Add, "change": n.Change, "import": n.Adopt, "remove": n.Destroy, "operation": operation},
	})
}

func (s *Stream) outputs(p *planner.Plan, planned bool) {
	all := map[string]any{}
	for _, o := range p.Outputs {
		if o.Action == resource.Delete && !planned {
			continue
		}
		v := map[string]any{"sensitive": o.Sensitive}
		if planned {
			v["action"] = uiAction(o.Action)
		} else {
			v["type"], v["value"] = o.Type, o.Value
		}
		all[o.Name] = v
	}
	if len(all) > 0 {
		s.send("info", "outputs", fmt.Sprintf("Outputs: %d", len(all)), map[string]any{"outputs": all})
	}
}

// Progress gives what tells the stream about an apply.
func (s *Stream) Progress(p *planner.Plan) func(planner.Event) {
	kinds := map[string]string{}
	for _, st := range p.Steps {
		kinds[st.Address] = st.Kind
	}
	return func(e planner.Event) {
		hook := map[string]any{"resource": resourceJSON(e.Address, kinds[e.Address]), "action": uiAction(e.Action)}
		seconds := e.Elapsed.Round(time.Millisecond).Seconds()
		switch e.Kind {
		case planner.Started:
			s.send("info", "apply_start", fmt.Sprintf("%s: %s begins", e.Address, e.Action), map[string]any{"hook": hook})
		case planner.Progress:
			hook["line"] = e.Line
			s.send("info", "apply_progress", e.Address+": "+e.Line, map[string]any{"hook": hook})
		case planner.Done:
			hook["elapsed_seconds"] = seconds
			s.send("info", "apply_complete", fmt.Sprintf("%s: %s complete after %.1fs", e.Address, e.Action, seconds), map[string]any{"hook": hook})
		case planner.Failed:
			hook["elapsed_seconds"] = seconds
			s.send("info", "apply_errored", fmt.Sprintf("%s: %s errored after %.1fs", e.Address, e.Action, seconds), map[string]any{"hook": hook})
			s.send("error", "diagnostic", "Error: "+e.Err.Error(), map[string]any{"diagnostic": Diagnostic{
				Severity: "error", Summary: e.Address + " was not carried out", Detail: words.Sentence(e.Err.Error()), Address: e.Address,
			}})
		case planner.Skipped:
			hook["because"] = e.Because
			s.send("warn", "apply_errored", fmt.Sprintf("%s: skipped because of %s", e.Address, e.Because), map[string]any{"hook": hook})
		case planner.Warned:
			s.warning(e.Address, e.Line)
		}
	}
}

// Applied tells how an apply ended.
func (s *Stream) Applied(p *planner.Plan, a *planner.Applied) {
	operation, word := "apply", "Applied"
	if p.Destroy {
		operation, word = "destroy", "Destroyed"
	}
	s.summary(a.Count(), operation, word+": %d added, %d changed, %d destroyed.")
	if a.OK() {
		s.outputs(p, false)
	}
}
