package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"

	"collect/planner"
	"collect/planner/resource"
	"collect/runtime/supervisor/api"
)

// hostile holds what has steered terminals: a title, a clipboard write, a link, a screen clear, overwriting, C1 controls, a reversed
// file name, half characters.
const hostile = "\x1b]0;title\x07\x1b]52;c;cm0=\x1b\\\x1b]8;;http://x\x1b\\\x1b[2Jx\rOK\x08\x7f\u009b31m\u202egnp.exe\u2066\u200b\xff\xc3"

// check says which byte of an output could steer a terminal.
func check(t *testing.T, what, out string) {
	t.Helper()
	if !utf8.ValidString(out) {
		t.Errorf("%s: invalid UTF-8: %q", what, out)
	}
	for i, r := range out {
		if r != '\n' && r != '\t' && dangerous(r) {
			t.Fatalf("%s: %U at %d in %q", what, r, i, out[max(0, i-40):min(len(out), i+10)])
		}
	}
}

// Whatever stands in what is shown, no control of foreign origin reaches the terminal.
func TestNothingForeignSteersTheTerminal(t *testing.T) {
	fill := func(v any) { poison(reflect.ValueOf(v).Elem(), 0) }
	var plan planner.Plan
	fill(&plan)
	var applied planner.Applied
	fill(&applied)
	var seen api.Installation
	fill(&seen)
	var diag hcl.Diagnostic
	diag.Summary, diag.Detail = hostile, hostile
	diag.Subject = &hcl.Range{Filename: hostile, Start: hcl.Pos{Line: 1, Byte: 4}, End: hcl.Pos{Line: 1, Byte: 9}}
	outputs := []planner.Output{{Name: hostile, Value: map[string]any{hostile: []any{hostile}}}}
	for name, f := range map[string]func(w *Writer){
		"plan":   func(w *Writer) { w.Plan(&plan) },
		"apply":  func(w *Writer) { w.ApplyTable(&applied) },
		"status": func(w *Writer) { w.Status(seen) },
		"diagnostics": func(w *Writer) {
			w.Diagnostics(hcl.Diagnostics{&diag}, map[string]*hcl.File{hostile: {Bytes: []byte("a = " + hostile)}})
		},
		"outputs": func(w *Writer) { w.Outputs(outputs) },
		"progress": func(w *Writer) {
			for _, k := range []planner.EventKind{planner.Started, planner.Progress, planner.Warned, planner.Failed, planner.Done} {
				w.Progress(planner.Event{Kind: k, Address: hostile, Line: hostile, Err: errors.New(hostile)})
			}
		},
		"write": func(w *Writer) {
			for i := range len(hostile) { // one byte at a time
				_, _ = w.Write([]byte(hostile[i : i+1]))
			}
		},
	} {
		var out bytes.Buffer
		w := New(&out, Options{})
		f(w)
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		check(t, name, out.String())
		if name != "write" && !strings.Contains(out.String(), `\x1b]52;`) {
			t.Errorf("%s does not show what it was given: %q", name, out.String())
		}
	}
}

// poison puts the hostile text into every string of a value.
func poison(v reflect.Value, depth int) {
	if depth > 8 || !v.CanSet() {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(hostile)
		if v.Type() == reflect.TypeFor[resource.Action]() {
			v.SetString(string(resource.Update))
		}
	case reflect.Bool:
		v.SetBool(v.Type().Size() == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(3)
	case reflect.Interface:
		v.Set(reflect.ValueOf(any(map[string]any{hostile: []any{hostile, 1.0}})))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		poison(v.Index(0), depth+1)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		e := reflect.New(v.Type().Elem()).Elem()
		poison(e, depth+1)
		if v.Type().Key().Kind() == reflect.String {
			v.SetMapIndex(reflect.ValueOf(hostile).Convert(v.Type().Key()), e)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		poison(v.Elem(), depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			poison(v.Field(i), depth+1)
		}
	}
}

func FuzzNothingSteersTheTerminal(f *testing.F) {
	for _, s := range []string{"", "plain", hostile, "한국어\n\ttext", "\xe2\x80", "\U000e0041", strings.Repeat("é", 50)} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, p []byte, cut int) {
		var whole, pieces bytes.Buffer
		w := New(&whole, Options{})
		if n, err := w.Write(p); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
		_ = w.Flush()
		check(t, "whole", whole.String())

		v := New(&pieces, Options{})
		at := max(0, min(len(p), cut))
		_, _ = v.Write(p[:at])
		_, _ = v.Write(p[at:])
		_ = v.Flush()
		if whole.String() != pieces.String() {
			t.Errorf("in pieces %q, whole %q", pieces.String(), whole.String())
		}
		if line := safe(string(p)); strings.ContainsAny(line, "\n\t\r\x1b") {
			t.Errorf("not one line: %q", line)
		}
		check(t, "value", value(string(p)))
		plain, err := json.Marshal(string(p))
		if err != nil {
			t.Fatal(err)
		}
		shown := JSON(append(plain, '\n'))
		check(t, "JSON", string(shown))
		var one, two string
		if err := errors.Join(json.Unmarshal(plain, &one), json.Unmarshal(shown, &two)); err != nil || one != two {
			t.Errorf("JSON changed: %q -> %q, %v", one, two, err)
		}
		if utf8.Valid(p) && !bytes.ContainsFunc(p, dangerous) && whole.String() != string(p) {
			t.Errorf("harmless text changed: %q -> %q", p, whole.String())
		}
	})
}

// failing is an output whose reader has gone.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, fmt.Errorf("broken pipe") }

func TestAClosedPipeIsAnErrorAndNoPanic(t *testing.T) {
	w := New(failing{}, Options{})
	w.Plan(&planner.Plan{})
	if err := w.Flush(); err == nil {
		t.Error("no error")
	}
}
