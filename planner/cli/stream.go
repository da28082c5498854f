package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/urfave/cli/v2"

	"collect/planner"
	"collect/planner/render"
	"collect/planner/resource"
)

// stream is the output of -json: one JSON object a line, with the message types and field names of Terraform's UI stream, version
// 1.2.
type stream struct {
	now func() time.Time

	mu  sync.Mutex // guards enc
	enc *json.Encoder
}

// startStream begins the stream when -json was given.
func (c *command) startStream(ctx *cli.Context) {
	if ctx.Bool("json") {
		c.stream = c.begun()
	}
}

// streamFor begins it for a command whose options are wrong, so that who reads the stream reads that too.
func (c *command) streamFor(ctx *cli.Context) {
	if c.json && ctx.Command != nil && slices.Contains([]string{"plan", "apply", "destroy"}, ctx.Command.Name) {
		c.stream = c.begun()
	}
}

func (c *command) begun() *stream {
	if c.stream != nil {
		return c.stream
	}
	s := newStream(c.stdout, c.now)
	s.send("info", "version", "collect "+c.deps.Version, map[string]any{"collect": c.deps.Version, "ui": "1.2"})
	return s
}

// jsonTo encodes to an output that may be a terminal.
func jsonTo(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(visible{w})
	enc.SetEscapeHTML(false)
	return enc
}

// visible escapes what could steer a terminal in JSON text, which an encoder writes a value at a time.
type visible struct{ w io.Writer }

func (v visible) Write(p []byte) (int, error) {
	if _, err := v.w.Write(render.JSON(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func newStream(w io.Writer, now func() time.Time) *stream {
	enc := jsonTo(w)
	return &stream{enc: enc, now: now}
}

func (s *stream) send(level, kind, message string, more map[string]any) {
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

func (s *stream) diagnostic(d *hcl.Diagnostic, files map[string]*hcl.File) {
	level, word := "error", "Error: "
	if d.Severity == hcl.DiagWarning {
		level, word = "warn", "Warning: "
	}
	s.send(level, "diagnostic", word+d.Summary, map[string]any{"diagnostic": diagnosticJSON(d, files)})
}

func (s *stream) warning(address, text string) {
	s.send("warn", "diagnostic", "Warning: "+text, map[string]any{"diagnostic": jsonDiagnostic{Severity: "warning", Summary: text, Address: address}})
}

// resourceJSON names an object as Terraform does.
func resourceJSON(address, kind string) map[string]any {
	name, key := nameOf(address)
	return map[string]any{
		"addr": address, "module": "", "resource": address, "implied_provider": "collect", "resource_type": kind, "resource_name": name, "resource_key": key,
	}
}

// nameOf splits agent.a["5"] into a and "5", and agent.a["5"].channel.c into a.channel.c and "5"; the key is nil for objects without
// instances.
func nameOf(address string) (name string, key any) {
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

func (s *stream) plan(p *planner.Plan, operation string) {
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

func (s *stream) summary(n planner.Counts, operation, format string) {
	s.send("info", "change_summary", fmt.Sprintf(format, n.Add, n.Change, n.Destroy), map[string]any{
		"changes": map[string]any{"add": n.Add, "change": n.Change, "import": n.Adopt, "remove": n.Destroy, "operation": operation},
	})
}

func (s *stream) outputs(p *planner.Plan, planned bool) {
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

// progress gives what tells the stream about an apply.
func (s *stream) progress(p *planner.Plan) func(planner.Event) {
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
			s.send("error", "diagnostic", "Error: "+e.Err.Error(), map[string]any{"diagnostic": jsonDiagnostic{
				Severity: "error", Summary: e.Address + " was not carried out", Detail: sentence(e.Err.Error()), Address: e.Address,
			}})
		case planner.Skipped:
			hook["because"] = e.Because
			s.send("warn", "apply_errored", fmt.Sprintf("%s: skipped because of %s", e.Address, e.Because), map[string]any{"hook": hook})
		case planner.Warned:
			s.warning(e.Address, e.Line)
		}
	}
}

func (s *stream) applied(p *planner.Plan, a *planner.Applied) {
	operation, word := "apply", "Applied"
	if p.Destroy {
		operation, word = "destroy", "Destroyed"
	}
	s.summary(a.Count(), operation, word+": %d added, %d changed, %d destroyed.")
	if a.OK() {
		s.outputs(p, false)
	}
}
