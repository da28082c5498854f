package decode

import (
	"math"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"collect/hclspec/expr"
	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/ref"
	"collect/hclspec/internal/syntax"
	"collect/hclspec/schema"
)

// convert gives the canonical form of a value.
func (d *Decoding) convert(a *schema.Attr, v cty.Value, e hclsyntax.Expression) (any, bool) {
	at := e.Range()
	if ref.IsSecret(v) && !d.secretAllowed(a) {
		d.Broken = true
		d.SecretHere(at, diag.Quote(a.Name))
		return nil, false
	}
	if !v.IsWhollyKnown() {
		d.Unknown, d.Incomplete = true, true
		return nil, false
	}
	if v.IsNull() {
		return d.null(a, at)
	}
	path := join(d.Path, a.Name)
	switch a.Type {
	case schema.Reference:
		return d.reference(a, v, at)
	case schema.References:
		return d.references(a, v, e)
	case schema.StringList:
		return d.list(a, v, path, at)
	case schema.StringMap:
		return d.mapping(a, v, path, at)
	}
	v, marks := v.Unmark()
	_, secret := marks[expr.Sensitive]
	if r, ok := ref.Of(v); ok {
		d.Broken = true
		hint := ""
		if r.Kind == schema.Topic {
			hint = " Its name is " + r.Local + ".name."
		}
		d.Fail(at, "Reference used as a value", "%q takes a value; %s is a reference.%s", a.Name, r.Local, hint)
		return nil, false
	}
	return d.scalar(a, v, secret, path, at)
}

// null is an argument that is given as null: it counts as not given.
func (d *Decoding) null(a *schema.Attr, at hcl.Range) (any, bool) {
	if a.Required {
		d.Broken = true
		d.Fail(at, "Missing argument", "%s needs %q, and this is null.", d.name(), a.Name)
	}
	return nil, false
}

// secretAllowed says whether a secret may stand in an argument: in texts that no address, name or place is made of.
func (d *Decoding) secretAllowed(a *schema.Attr) bool {
	if d.Plain || a.Path || a.Event || len(a.Enum) > 0 {
		return false
	}
	if d.About != nil && (a.Name == d.About.Listen || a.Name == d.About.Files) {
		return false
	}
	switch a.Name {
	case "listen", "address", "brokers", "name", "topics":
		return false
	}
	return a.Type == schema.String || a.Type == schema.StringMap || a.Type == schema.StringList
}

func (d *Decoding) scalar(a *schema.Attr, v cty.Value, secret bool, path string, at hcl.Range) (any, bool) {
	switch a.Type {
	case schema.Bool:
		b, err := convert.Convert(v, cty.Bool)
		if err != nil {
			return d.wrong(a, at, "true or false", v)
		}
		return b.True(), true
	case schema.Int, schema.Float:
		return d.number(a, v, at)
	case schema.Duration, schema.Size:
		return d.unit(a, v, at)
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil {
		return d.wrong(a, at, "text", v)
	}
	return d.text(a, s.AsString(), secret, path, at)
}

func (d *Decoding) number(a *schema.Attr, v cty.Value, at hcl.Range) (any, bool) {
	n, err := convert.Convert(v, cty.Number)
	if err != nil {
		return d.wrong(a, at, "a number", v)
	}
	f, _ := n.AsBigFloat().Float64()
	if a.Type == schema.Int && (f != float64(int64(f)) || f > 1<<53 || f < -1<<53) {
		d.Broken = true
		if math.Trunc(f) == f {
			d.Fail(at, "Number out of range", "%q is too large.", a.Name)
			return nil, false
		}
		d.Fail(at, "Wrong type", "%q must be a whole number.", a.Name)
		return nil, false
	}
	return f, true
}

// unit reads durations and sizes: texts with a unit, or bare numbers of seconds or bytes.
func (d *Decoding) unit(a *schema.Attr, v cty.Value, at hcl.Range) (any, bool) {
	want := `a duration such as "5s" or "10m"`
	if a.Type == schema.Size {
		want = `a size such as "64MiB"`
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil || v.Type() == cty.Bool {
		return d.wrong(a, at, want, v)
	}
	if a.Type == schema.Size {
		n, err := schema.ParseSize(s.AsString())
		if err != nil {
			d.Broken = true
			d.Fail(at, "Invalid size", "%s.", diag.Sentence(err))
			return nil, false
		}
		return schema.FormatSize(n), true
	}
	n, err := schema.ParseDuration(s.AsString())
	if err != nil {
		d.Broken = true
		d.Fail(at, "Invalid duration", "%s.", diag.Sentence(err))
		return nil, false
	}
	return schema.FormatDuration(n), true
}

// text gives one text: checked against the allowed ones, resolved when it is a path, put away when it is a secret.
func (d *Decoding) text(a *schema.Attr, s string, secret bool, path string, at hcl.Range) (any, bool) {
	if len(a.Enum) > 0 && !slices.Contains(a.Enum, s) {
		d.Broken = true
		d.Fail(at, "Unknown value", "%q cannot be %q.%s", a.Name, s, diag.DidYouMean(s, a.Enum, "%q"))
		return nil, false
	}
	if a.Path {
		if !d.noShell(s, at) {
			return nil, false
		}
		s = d.Machine.Resolve(s)
		if !d.noPlacePattern(a, s, at) {
			return nil, false
		}
	}
	if a.Cron {
		s = inZone(s, d.TimeZone)
	}
	if a.Contents && s != "" {
		return d.contentsOf(s, at)
	}
	if (secret || a.Secret) && d.Owner != nil && s != "" {
		return d.secret(d.Owner.Secrets, path, s), true
	}
	return s, true
}

// inZone gives a schedule the time zone of the installation, unless it names one.
func inZone(schedule, zone string) string {
	if zone == "" || zone == "UTC" || schedule == "" || strings.HasPrefix(schedule, "CRON_TZ=") || strings.HasPrefix(schedule, "TZ=") {
		return schedule
	}
	return "CRON_TZ=" + zone + " " + schedule
}

// contentsOf gives a file whose contents belong to the configuration: when they change, what uses them is made anew. Its
// contents may be a secret, such as a key, so their fingerprint is keyed.
func (d *Decoding) contentsOf(name string, at hcl.Range) (any, bool) {
	out := map[string]any{"file": name}
	src, err := d.Machine.Read(name)
	switch {
	case err == nil && d.Fingerprint != nil:
		out["fp"] = d.Fingerprint(string(src))
	case err != nil && d.Partial:
		d.Incomplete = true
	case err != nil:
		d.Broken = true
		d.Fail(at, "File cannot be read", "%s: %s.", name, syntax.Cause(err))
		return nil, false
	}
	return out, true
}

// secret puts a secret value away and gives what stands in its place.
func (dc *Decoder) secret(into schema.Secrets, name, value string) any {
	into[name] = value
	fp := ""
	if dc.Fingerprint != nil {
		fp = dc.Fingerprint(value)
	}
	return map[string]any{"secret": name, "fp": fp}
}

func (d *Decoding) list(a *schema.Attr, v cty.Value, path string, at hcl.Range) (any, bool) {
	secret := ref.IsSecret(v)
	v, _ = v.UnmarkDeep()
	t := v.Type()
	if !t.IsTupleType() && !t.IsListType() && !t.IsSetType() {
		want := "a list of texts"
		if t == cty.String {
			want = `a list of texts, such as ["…"]`
		}
		return d.wrong(a, at, want, v)
	}
	out := []any{}
	for it := v.ElementIterator(); it.Next(); {
		i, x := it.Element()
		if r, ok := ref.Of(x); ok && r.Kind == schema.Topic && a.Ref == schema.Topic {
			d.Uses = append(d.Uses, ref.Use{Attr: a.Name, Ref: r, At: at})
			out = append(out, r.Attrs["name"])
			continue
		}
		s, err := convert.Convert(x, cty.String)
		if err != nil || s.IsNull() {
			d.Broken = true
			d.Fail(at, "Wrong type", "%q is a list of texts, and an element is %s.", a.Name, ref.Describe(x))
			return nil, false
		}
		if t.IsSetType() {
			i = cty.NumberIntVal(int64(len(out)))
		}
		one, ok := d.text(a, s.AsString(), secret, path+ref.KeyText(i), at)
		if !ok {
			return nil, false
		}
		out = append(out, one)
	}
	return out, true
}

func (d *Decoding) mapping(a *schema.Attr, v cty.Value, path string, at hcl.Range) (any, bool) {
	whole := v.IsMarked() && ref.IsSecret(v)
	v, _ = v.Unmark()
	if t := v.Type(); !t.IsMapType() && !t.IsObjectType() {
		return d.wrong(a, at, "a map of texts", v)
	}
	out := map[string]any{}
	for it := v.ElementIterator(); it.Next(); {
		k, x := it.Element()
		secret := whole || ref.IsSecret(x)
		x, _ = x.UnmarkDeep()
		s, err := convert.Convert(x, cty.String)
		if err != nil {
			d.Broken = true
			d.Fail(at, "Wrong type", "%q is a map of texts, and its element %q is %s.", a.Name, k.AsString(), ref.Describe(x))
			return nil, false
		}
		if s.IsNull() {
			continue
		}
		key := k.AsString()
		one, ok := d.text(a, s.AsString(), secret, path+"."+key, at)
		if !ok {
			return nil, false
		}
		out[key] = one
	}
	return out, true
}
