package variable

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/reading"
	"collect/hclspec/internal/sorted"
	"collect/hclspec/internal/syntax"
)

// givenValue is what a file, an option or the environment says.
type givenValue struct {
	value cty.Value
	text  string // to be read as the variable's type asks, when value is NilVal
	from  string // for messages: "-var", "COLLECT_VAR_x", "collect.hclvars"
	at    hcl.Range
}

// Give reads the values in the order in which later ones win: collect.hclvars, *.auto.hclvars by name, then -var and
// -var-file in the order of the command line; before all of them the environment.
func (vs *Set) Give(values []Value) {
	for name, text := range vs.Machine.Environ {
		if name, ok := strings.CutPrefix(name, "COLLECT_VAR_"); ok && vs.ByName[name] != nil {
			vs.ByName[name].given = &givenValue{text: text, from: "COLLECT_VAR_" + name, at: vs.ByName[name].block.DefRange()}
		}
	}
	entries, _ := os.ReadDir(vs.Machine.Root) // sorted; it was readable a moment ago
	own := func(name string) {
		path := filepath.Join(vs.Machine.Root, name)
		vs.Machine.Note(path) // it may be a link
		vs.valueFile(path, name)
	}
	if _, err := os.Stat(filepath.Join(vs.Machine.Root, "collect.hclvars")); err == nil {
		own("collect.hclvars")
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".auto.hclvars") && !strings.HasPrefix(e.Name(), ".") {
			own(e.Name())
		}
	}
	for _, o := range values {
		if o.File != "" {
			vs.valueFile(o.File, o.File)
			continue
		}
		v := vs.ByName[o.Name]
		if v == nil {
			vs.Fail(hcl.Range{}, "Undeclared variable", "-var gives a value to %q, which no variable block declares.%s", o.Name, diag.DidYouMean(o.Name, sorted.Keys(vs.ByName), "%q"))
			continue
		}
		v.given = &givenValue{text: o.Text, from: "-var " + o.Name, at: v.block.DefRange()}
	}
}

func (vs *Set) valueFile(path, name string) {
	f := vs.ReadFile(path, name)
	if f == nil {
		vs.unread = true
		return
	}
	body := f.Body.(*hclsyntax.Body)
	for _, b := range body.Blocks {
		vs.Fail(b.TypeRange, "Block in a file of values", "%s holds values only, one on each line: NAME = VALUE. Blocks belong into *.hcl files.", name)
	}
	for _, n := range sorted.Keys(body.Attributes) {
		a := body.Attributes[n]
		v := vs.ByName[n]
		if v == nil {
			vs.Warn(a.NameRange, "Value for an undeclared variable", "No variable block declares %q, so this value is not used.%s", n, diag.DidYouMean(n, sorted.Keys(vs.ByName), "%q"))
			continue
		}
		val, diags := vs.Meter.Value(a.Expr, &hcl.EvalContext{})
		if diags.HasErrors() {
			vs.NotConstant(a.Expr, diags, "Value is not a constant", "Values of variables are written out: they cannot use names or functions.")
			v.state = reading.Failed
			continue
		}
		v.given = &givenValue{value: val, from: name, at: a.Expr.Range()}
	}
}

// read turns the text of -var or the environment into a value: text for a simple type, else an expression.
func (v *Variable) read(vs *Set) (cty.Value, bool) {
	g := v.given
	if g.value != cty.NilVal {
		return g.value, true
	}
	if v.block.Body.Attributes["type"] == nil || v.typ.IsPrimitiveType() {
		return cty.StringVal(g.text), true
	}
	name := "<value of " + g.from + ">"
	src := []byte(g.text)
	vs.Files[name] = &hcl.File{Bytes: src, Body: &hclsyntax.Body{}}
	if !syntax.Fits(src) {
		vs.Fail(hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}, "Value is not usable", "The value of variable %q is nested too deeply or too long.", v.name)
		return cty.DynamicVal, false
	}
	e, diags := hclsyntax.ParseExpression(src, name, hcl.InitialPos)
	if !diags.HasErrors() {
		val, more := vs.Meter.Value(e, &hcl.EvalContext{})
		if !more.HasErrors() {
			return val, true
		}
	}
	at := hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.Pos{Line: 1, Column: 1 + len(src), Byte: len(src)}}
	vs.Fail(at, "Value is not usable", "Variable %q has the type %s, so its value is written as in a file, for example %s='[\"a\", \"b\"]'.", v.name, typeexpr.TypeString(v.typ), v.name)
	return cty.DynamicVal, false
}

func (v *Variable) evaluate(vs *Set) (cty.Value, bool) {
	if v.given == nil {
		if v.fallback != cty.NilVal {
			return v.fallback, true
		}
		if vs.unread { // its value may stand there
			return cty.DynamicVal, false
		}
		if vs.Partial {
			if vs.Incomplete = true; vs.Missing == "" {
				vs.Missing = ", such as var." + v.name
			}
			return cty.UnknownVal(v.typ), true
		}
		vs.Fail(v.block.DefRange(), "No value for a required variable", "Variable %q has no default and no value. Give one with -var '%s=…', in collect.hclvars, or as COLLECT_VAR_%s.", v.name, v.name, v.name)
		return cty.DynamicVal, false
	}
	val, ok := v.read(vs)
	if !ok {
		return val, false
	}
	if !vs.Convertible(val, v.given.at) {
		return val, false
	}
	val, err := v.convert(val)
	if err == nil && !vs.Keep(val, v.given.at) {
		return val, false
	}
	if err != nil {
		vs.Fail(v.given.at, "Wrong type", "The value of variable %q from %s does not fit its type %s: %s.", v.name, v.given.from, typeexpr.TypeString(v.typ), diag.Sentence(err))
		return val, false
	}
	if val.IsNull() && !v.nullable {
		if v.fallback != cty.NilVal && !v.fallback.IsNull() {
			return v.fallback, true
		}
		vs.Fail(v.given.at, "Null is not allowed", "Variable %q has nullable = false: give it a value.", v.name)
		return val, false
	}
	return val, true
}
