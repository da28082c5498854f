package hclspec

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"collect/hclspec/expr"
	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/syntax"
)

// variable is one variable block with the value it was given.
type variable struct {
	name      string
	block     *hclsyntax.Block
	typ       cty.Type
	defaults  *typeexpr.Defaults
	given     *givenValue
	fallback  cty.Value // the default; NilVal: required
	sensitive bool
	nullable  bool

	state state
	value cty.Value
}

// givenValue is what a file, an option or the environment says.
type givenValue struct {
	value cty.Value
	text  string // to be read as the variable's type asks, when value is NilVal
	from  string // for messages: "-var", "COLLECT_VAR_x", "collect.hclvars"
	at    hcl.Range
}

var variableArgs = []string{"type", "default", "description", "sensitive", "nullable"}

func (l *loader) declareVariable(b *hclsyntax.Block) {
	v := &variable{name: b.Labels[0], block: b, typ: cty.DynamicPseudoType, nullable: true}
	if old := l.vars[v.name]; old != nil {
		l.duplicate(b, "variable "+quote(v.name), old.block.DefRange())
		return
	}
	l.vars[v.name] = v
	for _, name := range sortedKeys(b.Body.Attributes) {
		if !contains(variableArgs, name) {
			l.fail(b.Body.Attributes[name].NameRange, "Unknown argument", "A variable has no argument %q.%s", name, diag.DidYouMean(name, variableArgs, "%q"))
		}
	}
	for _, inner := range b.Body.Blocks {
		if inner.Type != "validation" {
			l.fail(inner.TypeRange, "Unknown block", "A variable has no %q blocks.%s", inner.Type, diag.DidYouMean(inner.Type, []string{"validation"}, "%q"))
		}
	}
	if a := b.Body.Attributes["type"]; a != nil {
		t, defaults, diags := typeexpr.TypeConstraintWithDefaults(a.Expr)
		l.add(diags)
		if diags.HasErrors() {
			v.state = failed
			return
		}
		v.typ, v.defaults = t, defaults
	}
	l.variableFlags(v)
}

func (l *loader) variableFlags(v *variable) {
	body := v.block.Body
	l.constant(body.Attributes["sensitive"], cty.Bool, func(x cty.Value) { v.sensitive = x.True() })
	l.constant(body.Attributes["nullable"], cty.Bool, func(x cty.Value) { v.nullable = x.True() })
	l.constant(body.Attributes["description"], cty.String, func(cty.Value) {})
	a := body.Attributes["default"]
	if a == nil {
		return
	}
	val, diags := l.meter.Value(a.Expr, &hcl.EvalContext{})
	if diags.HasErrors() {
		l.notConstant(a.Expr, diags, "Default is not a constant", "The default of a variable is written out: it cannot use other names or functions. A value that is computed belongs into locals.")
		v.state = failed
		return
	}
	if !l.convertible(val, a.Expr.Range()) {
		v.state = failed
		return
	}
	val, err := v.convert(val)
	if err != nil {
		l.fail(a.Expr.Range(), "Wrong type", "The default of variable %q does not fit its type %s: %s.", v.name, typeexpr.TypeString(v.typ), sentence(err))
		v.state = failed
		return
	}
	v.fallback = val
}

// constant evaluates an argument that may use no names.
func (l *loader) constant(a *hclsyntax.Attribute, want cty.Type, use func(cty.Value)) {
	if a == nil {
		return
	}
	val, diags := l.meter.Value(a.Expr, &hcl.EvalContext{})
	if diags.HasErrors() {
		l.notConstant(a.Expr, diags, "Not a constant", quote(a.Name)+" is written out here: it cannot use names or functions.")
		return
	}
	val, err := convert.Convert(val, want)
	if err != nil || val.IsNull() {
		l.fail(a.Expr.Range(), "Wrong type", "%q must be %s.", a.Name, plainType(want))
		return
	}
	use(val)
}

// notConstant reports why an expression without names and functions has no value: it has some, or it is wrong in itself.
func (l *loader) notConstant(e hclsyntax.Expression, diags hcl.Diagnostics, summary, detail string) {
	calls := false
	_ = hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		_, call := n.(*hclsyntax.FunctionCallExpr)
		calls = calls || call
		return nil
	})
	if calls || len(e.Variables()) > 0 {
		l.fail(e.Range(), summary, "%s", detail)
		return
	}
	l.add(diags)
}

// constantText evaluates a text that is written out.
func (l *loader) constantText(e hcl.Expression) (string, bool) {
	x, ok := e.(hclsyntax.Expression)
	if !ok {
		return "", false
	}
	v, diags := l.meter.Value(x, nil)
	if diags.HasErrors() || v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return "", false
	}
	return v.AsString(), true
}

func (v *variable) convert(val cty.Value) (cty.Value, error) {
	if v.defaults != nil && !val.IsNull() {
		val = v.defaults.Apply(val)
	}
	return convert.Convert(val, v.typ)
}

// giveValues reads the values in the order in which later ones win: collect.hclvars, *.auto.hclvars by name, then -var and
// -var-file in the order of the command line; before all of them the environment.
func (l *loader) giveValues() {
	for name, text := range l.machine.Environ {
		if name, ok := strings.CutPrefix(name, "COLLECT_VAR_"); ok && l.vars[name] != nil {
			l.vars[name].given = &givenValue{text: text, from: "COLLECT_VAR_" + name, at: l.vars[name].block.DefRange()}
		}
	}
	entries, _ := os.ReadDir(l.cfg.Root) // sorted; it was readable a moment ago
	own := func(name string) {
		path := filepath.Join(l.cfg.Root, name)
		l.machine.Note(path) // it may be a link
		l.valueFile(path, name)
	}
	if _, err := os.Stat(filepath.Join(l.cfg.Root, "collect.hclvars")); err == nil {
		own("collect.hclvars")
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".auto.hclvars") && !strings.HasPrefix(e.Name(), ".") {
			own(e.Name())
		}
	}
	for _, o := range l.opts.Values {
		if o.File != "" {
			l.valueFile(o.File, o.File)
			continue
		}
		v := l.vars[o.Name]
		if v == nil {
			l.fail(hcl.Range{}, "Undeclared variable", "-var gives a value to %q, which no variable block declares.%s", o.Name, diag.DidYouMean(o.Name, sortedKeys(l.vars), "%q"))
			continue
		}
		v.given = &givenValue{text: o.Text, from: "-var " + o.Name, at: v.block.DefRange()}
	}
}

func (l *loader) valueFile(path, name string) {
	f := l.readFile(path, name)
	if f == nil {
		l.unread = true
		return
	}
	body := f.Body.(*hclsyntax.Body)
	for _, b := range body.Blocks {
		l.fail(b.TypeRange, "Block in a file of values", "%s holds values only, one on each line: NAME = VALUE. Blocks belong into *.hcl files.", name)
	}
	for _, n := range sortedKeys(body.Attributes) {
		a := body.Attributes[n]
		v := l.vars[n]
		if v == nil {
			l.warn(a.NameRange, "Value for an undeclared variable", "No variable block declares %q, so this value is not used.%s", n, diag.DidYouMean(n, sortedKeys(l.vars), "%q"))
			continue
		}
		val, diags := l.meter.Value(a.Expr, &hcl.EvalContext{})
		if diags.HasErrors() {
			l.notConstant(a.Expr, diags, "Value is not a constant", "Values of variables are written out: they cannot use names or functions.")
			v.state = failed
			continue
		}
		v.given = &givenValue{value: val, from: name, at: a.Expr.Range()}
	}
}

// get gives the variable's value; a failed one was reported.
func (v *variable) get(l *loader) (cty.Value, bool) {
	switch v.state {
	case done:
		return v.value, true
	case failed:
		return cty.DynamicVal, false
	}
	v.state = done
	val, ok := v.evaluate(l)
	if !ok {
		v.state = failed
		return cty.DynamicVal, false
	}
	if v.sensitive {
		val = val.Mark(expr.Sensitive)
	}
	v.value = val
	if !v.validate(l) {
		v.state = failed
	}
	return v.value, v.state == done
}

func (v *variable) evaluate(l *loader) (cty.Value, bool) {
	if v.given == nil {
		if v.fallback != cty.NilVal {
			return v.fallback, true
		}
		if l.unread { // its value may stand there
			return cty.DynamicVal, false
		}
		if l.opts.Partial {
			if l.cfg.Incomplete = true; l.missing == "" {
				l.missing = ", such as var." + v.name
			}
			return cty.UnknownVal(v.typ), true
		}
		l.fail(v.block.DefRange(), "No value for a required variable", "Variable %q has no default and no value. Give one with -var '%s=…', in collect.hclvars, or as COLLECT_VAR_%s.", v.name, v.name, v.name)
		return cty.DynamicVal, false
	}
	val, ok := v.read(l)
	if !ok {
		return val, false
	}
	if !l.convertible(val, v.given.at) {
		return val, false
	}
	val, err := v.convert(val)
	if err == nil && !l.keep(val, v.given.at) {
		return val, false
	}
	if err != nil {
		l.fail(v.given.at, "Wrong type", "The value of variable %q from %s does not fit its type %s: %s.", v.name, v.given.from, typeexpr.TypeString(v.typ), sentence(err))
		return val, false
	}
	if val.IsNull() && !v.nullable {
		if v.fallback != cty.NilVal && !v.fallback.IsNull() {
			return v.fallback, true
		}
		l.fail(v.given.at, "Null is not allowed", "Variable %q has nullable = false: give it a value.", v.name)
		return val, false
	}
	return val, true
}

// read turns the text of -var or the environment into a value: text for a simple type, else an expression.
func (v *variable) read(l *loader) (cty.Value, bool) {
	g := v.given
	if g.value != cty.NilVal {
		return g.value, true
	}
	if v.block.Body.Attributes["type"] == nil || v.typ.IsPrimitiveType() {
		return cty.StringVal(g.text), true
	}
	name := "<value of " + g.from + ">"
	src := []byte(g.text)
	l.cfg.Files[name] = &hcl.File{Bytes: src, Body: &hclsyntax.Body{}}
	if !syntax.Fits(src) {
		l.fail(hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}, "Value is not usable", "The value of variable %q is nested too deeply or too long.", v.name)
		return cty.DynamicVal, false
	}
	e, diags := hclsyntax.ParseExpression(src, name, hcl.InitialPos)
	if !diags.HasErrors() {
		val, more := l.meter.Value(e, &hcl.EvalContext{})
		if !more.HasErrors() {
			return val, true
		}
	}
	at := hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.Pos{Line: 1, Column: 1 + len(src), Byte: len(src)}}
	l.fail(at, "Value is not usable", "Variable %q has the type %s, so its value is written as in a file, for example %s='[\"a\", \"b\"]'.", v.name, typeexpr.TypeString(v.typ), v.name)
	return cty.DynamicVal, false
}

// validate checks the rules of the variable's validation blocks.
func (v *variable) validate(l *loader) bool {
	ok := true
	for _, b := range v.block.Body.Blocks {
		if b.Type == "validation" && !v.validation(l, b) {
			ok = false
		}
	}
	return ok
}

func (v *variable) validation(l *loader, b *hclsyntax.Block) bool {
	cond, msg := b.Body.Attributes["condition"], b.Body.Attributes["error_message"]
	if len(b.Labels) > 0 {
		l.fail(b.LabelRanges[0], "Too many names", "A validation block has no name: write validation { … }.")
		return false
	}
	for _, inner := range b.Body.Blocks {
		l.fail(inner.TypeRange, "Unknown block", "A validation has no %q blocks.", inner.Type)
	}
	for _, name := range sortedKeys(b.Body.Attributes) {
		if name != "condition" && name != "error_message" {
			l.fail(b.Body.Attributes[name].NameRange, "Unknown argument", "A validation has no argument %q.%s", name, diag.DidYouMean(name, []string{"condition", "error_message"}, "%q"))
		}
	}
	if cond == nil || msg == nil {
		l.fail(b.DefRange(), "Missing argument", "A validation needs condition and error_message.")
		return false
	}
	sc := &scope{label: "variable " + quote(v.name)}
	res, ok := l.eval(cond.Expr, sc)
	if !ok {
		return false
	}
	res, _ = res.UnmarkDeep()
	res, err := convert.Convert(res, cty.Bool)
	if err != nil || res.IsNull() {
		l.fail(cond.Expr.Range(), "Wrong type", "A condition must be true or false.")
		return false
	}
	if !res.IsKnown() || res.True() {
		return true
	}
	text, ok := l.eval(msg.Expr, sc)
	if !ok {
		return false
	}
	secret := isSecret(text)
	text, _ = text.UnmarkDeep()
	text, err = convert.Convert(text, cty.String)
	if err != nil || text.IsNull() || !text.IsKnown() {
		l.fail(msg.Expr.Range(), "Wrong type", "An error_message must be text.")
		return false
	}
	at := v.block.DefRange()
	from := ""
	if v.given != nil {
		at, from = v.given.at, " The value is from "+v.given.from+"."
	}
	c := cond.Expr.Range()
	why := text.AsString()
	if secret {
		why = "Its error_message holds a secret and is not shown."
	}
	if !strings.HasSuffix(why, ".") && !strings.HasSuffix(why, "!") && !strings.HasSuffix(why, "?") {
		why += "."
	}
	l.fail(at, "Invalid value for a variable", "%s%s This was checked by the validation at %s:%d.", why, from, c.Filename, c.Start.Line)
	return false
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// sentence makes an error of the libraries fit into a sentence.
func sentence(err error) string {
	return strings.TrimSuffix(err.Error(), ".")
}
