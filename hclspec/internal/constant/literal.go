package constant

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/number"
)

// Literal writes a value as HCL.
func Literal(v cty.Value) string {
	t := v.Type()
	switch {
	case v.IsNull():
		return "null"
	case t == cty.Bool:
		return strconv.FormatBool(v.True())
	case t == cty.Number:
		return v.AsBigFloat().Text('f', -1)
	case t == cty.String:
		return `"` + Escape(v.AsString()) + `"`
	case t.IsListType(), t.IsSetType(), t.IsTupleType():
		var parts []string
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			parts = append(parts, Literal(e))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	m := v.AsValueMap()
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, `"`+Escape(k)+`" = `+Literal(m[k]))
	}
	if len(parts) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}

// Text gives a text, number or bool as a template shows it.
func Text(v cty.Value) (string, bool) {
	switch {
	case v.IsNull():
		return "", false
	case v.Type() == cty.String:
		return v.AsString(), true
	case v.Type() == cty.Number:
		f, _ := v.AsBigFloat().Float64()
		return string(number.Append(nil, f)), true
	case v.Type() == cty.Bool:
		return strconv.FormatBool(v.True()), true
	}
	return "", false
}

// Escape writes text as it stands between quotes.
func Escape(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		case (r == '$' || r == '%') && i+1 < len(s) && s[i+1] == '{':
			b.WriteRune(r)
			b.WriteRune(r)
		case r == utf8.RuneError:
			b.WriteString(`\ufffd`)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
