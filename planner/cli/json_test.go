package cli

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"collect/planner/cli/internal/tfjson"
)

func TestJSONStream(t *testing.T) {
	r := newRig(t, oneAgent)
	types := func(out string) []string {
		var all []string
		for line := range strings.Lines(out) {
			var m map[string]any
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			for _, k := range []string{"@level", "@message", "@module", "@timestamp", "type"} {
				if m[k] == nil {
					t.Errorf("no %s in %s", k, line)
				}
			}
			all = append(all, m["type"].(string))
		}
		return all
	}
	got := r.want(0, `"action":"create"`, "plan", "-json")
	if want := []string{"version", "planned_change", "change_summary", "outputs"}; !slices.Equal(types(got.out), want) {
		t.Errorf("plan: %v", types(got.out))
	}
	got = r.want(0, `"operation":"apply"`, "apply", "-json", "-auto-approve")
	want := []string{"version", "planned_change", "change_summary", "apply_start", "apply_progress", "apply_complete", "change_summary", "outputs"}
	if !slices.Equal(types(got.out), want) {
		t.Errorf("apply: %v", types(got.out))
	}
	r.w.fail = errors.New("no")
	got = r.want(1, "apply_errored", "apply", "-json", "-auto-approve", "-var=size=4")
	if !slices.Contains(types(got.out), "diagnostic") || got.err != "" {
		t.Errorf("failed apply: %v, %q", types(got.out), got.err)
	}
	r.config("agent {")
	if got = r.want(1, `"severity":"error"`, "plan", "-json"); types(got.out)[1] != "diagnostic" {
		t.Errorf("wrong configuration: %v", types(got.out))
	}
}

// terraformPlan is what terraform-json reads of a plan.
type terraformPlan struct {
	FormatVersion   string `json:"format_version"`
	ResourceChanges []struct {
		Address, Mode, Type, Name string
		Index                     any
		ProviderName              string `json:"provider_name"`
		Change                    struct{ Actions []string }
	} `json:"resource_changes"`
	OutputChanges map[string]struct{ Actions []string } `json:"output_changes"`
	PlannedValues struct {
		RootModule struct {
			Resources []struct {
				Address string
				Values  map[string]any
			}
		} `json:"root_module"`
	} `json:"planned_values"`
	Applyable bool
}

func TestShowPlanAsJSON(t *testing.T) {
	r := newRig(t, strings.Replace(oneAgent, `agent "a" {`, "agent \"a\" {\n  for_each = toset([\"5\"])", 1))
	plan := filepath.Join(t.TempDir(), "plan")
	r.want(0, "", "plan", "-out="+plan)
	var p terraformPlan
	if err := json.Unmarshal([]byte(r.want(0, "", "show", "-json", plan).out), &p); err != nil {
		t.Fatal(err)
	}
	c := p.ResourceChanges[0]
	if p.FormatVersion != "1.2" || c.Address != `agent.a["5"]` || c.Mode != "managed" || c.Name != "a" || c.Index != "5" || c.Change.Actions[0] != "create" {
		t.Errorf("%+v", p)
	}
	if !p.Applyable || p.OutputChanges["size"].Actions[0] != "create" || p.PlannedValues.RootModule.Resources[0].Values["sources"] == nil {
		t.Errorf("%+v", p)
	}
}

func TestValidateJSON(t *testing.T) {
	r := newRig(t, oneAgent+"\nlocals {\n  x = var.sise\n}\n")
	var out struct {
		FormatVersion string `json:"format_version"`
		Valid         bool
		ErrorCount    int `json:"error_count"`
		Diagnostics   []tfjson.Diagnostic
	}
	if err := json.Unmarshal([]byte(r.want(1, "", "validate", "-json").out), &out); err != nil {
		t.Fatal(err)
	}
	d := out.Diagnostics[0]
	if out.Valid || out.ErrorCount != 1 || d.Range.Filename != "main.hcl" || d.Snippet.Code != "  x = var.sise" || *d.Snippet.Context != "locals" ||
		d.Snippet.Code[d.Snippet.HighlightStartOffset:d.Snippet.HighlightEndOffset] != "var.sise" {
		t.Errorf("%+v %+v %+v", out, d.Range, d.Snippet)
	}
}

func TestWrongOptionsAreInTheStream(t *testing.T) {
	for name, args := range map[string][]string{
		"unknown":            {"plan", "-json", "-nosuch"},
		"unknown, and first": {"plan", "-nosuch", "-json"},
		"no such value":      {"apply", "-json", "-parallelism=x"},
		"a wrong figure":     {"destroy", "-json", "-parallelism=0"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "")
			got := r.want(1, "", args...)
			lines := strings.Split(strings.TrimSpace(got.out), "\n")
			if got.err != "" || len(lines) != 2 || !strings.Contains(lines[0], `"type":"version"`) || !strings.Contains(lines[1], `"type":"diagnostic"`) {
				t.Errorf("out:\n%s\nerr:\n%s", got.out, got.err)
			}
		})
	}
	r := newRig(t, "")
	if got := r.want(1, "Unknown option", "status", "-json", "-nosuch"); got.out != "" { // it gives one document, or none
		t.Errorf("out:\n%s", got.out)
	}
}
