package schema

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sort"
	"strings"
	"time"
)

// Config holds the arguments that a block gives, and only those: no defaults. It is plain JSON. Besides strings, bools,
// float64, []any and map[string]any (inner blocks; repeated ones are a []any of maps) these objects have a meaning:
//
//	{"expr": "event.body", "consts": {…}, "at": {…}}   a per-event expression (Expr)
//	{"ref": "channel.stream", "attrs": {…}}            a reference (Ref)
//	{"secret": "NAME", "fp": "…"}                      a secret: its name in the agent's secrets, and a keyed fingerprint
//	{"file": "/etc/ca.pem", "fp": "…"}                 a file whose contents count: its name, and a keyed fingerprint of them
type Config map[string]any

// Secrets holds secret values by name.
type Secrets map[string]string

// Decode fills a struct, which holds the defaults, from a Config. An argument that the struct does not have, or a value
// that does not fit, is an error that names the argument. Without secrets (nil) their place is taken by "(sensitive)", which is
// enough to check a Config.
func Decode(c Config, secrets Secrets, into any) error {
	d := decoder{secrets: secrets}
	return d.block("", c, reflect.ValueOf(into).Elem())
}

type decoder struct{ secrets Secrets }

func (d decoder) block(path string, c Config, v reflect.Value) error {
	seen := 0
	for i := range v.NumField() {
		tag, ok := v.Type().Field(i).Tag.Lookup("collect")
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(tag, ",")
		val, ok := c[name]
		if !ok {
			continue
		}
		seen++
		if err := d.value(path+name, val, v.Field(i)); err != nil {
			return err
		}
	}
	if seen == len(c) {
		return nil
	}
	return unknownArgument(path, c, v)
}

func unknownArgument(path string, c Config, v reflect.Value) error {
	known := map[string]bool{}
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("collect"), ",")
		known[name] = true
	}
	var bad []string
	for k := range c {
		if !known[k] {
			bad = append(bad, path+k)
		}
	}
	sort.Strings(bad)
	return fmt.Errorf("unknown argument %s", strings.Join(bad, ", "))
}

func (d decoder) value(path string, val any, v reflect.Value) error {
	t := v.Type()
	switch t {
	case typeExpr:
		e, err := decodeExpr(path, val)
		if err == nil {
			v.Set(reflect.ValueOf(e))
		}
		return err
	case typeRef:
		r, err := decodeRef(path, val)
		if err == nil {
			v.Set(reflect.ValueOf(r))
		}
		return err
	case typeDuration, typeBytes:
		return decodeUnit(path, val, v)
	}
	switch t.Kind() {
	case reflect.Pointer:
		n := reflect.New(t.Elem())
		v.Set(n)
		return d.value(path, val, n.Elem())
	case reflect.Struct:
		m, ok := val.(map[string]any)
		if !ok {
			return wrongType(path, "a block", val)
		}
		return d.block(path+".", m, v)
	case reflect.Slice:
		return d.list(path, val, v)
	case reflect.Map:
		return d.mapping(path, val, v)
	default:
		return d.scalar(path, val, v)
	}
}

func (d decoder) list(path string, val any, v reflect.Value) error {
	l, ok := val.([]any)
	if !ok {
		return wrongType(path, "a list", val)
	}
	s := reflect.MakeSlice(v.Type(), len(l), len(l))
	for i, e := range l {
		if err := d.value(fmt.Sprintf("%s[%d]", path, i), e, s.Index(i)); err != nil {
			return err
		}
	}
	v.Set(s)
	return nil
}

func (d decoder) mapping(path string, val any, v reflect.Value) error {
	m, ok := val.(map[string]any)
	if !ok {
		return wrongType(path, "a map", val)
	}
	out := reflect.MakeMapWithSize(v.Type(), len(m))
	for k, e := range m {
		n := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(path+"."+k, e, n); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(k), n)
	}
	v.Set(out)
	return nil
}

func (d decoder) scalar(path string, val any, v reflect.Value) error {
	if m, ok := val.(map[string]any); ok && m["file"] != nil {
		val = m["file"]
	} else if ok {
		name, ok := m["secret"].(string)
		if !ok {
			return wrongType(path, string(v.Kind().String()), val)
		}
		s, ok := d.secrets[name]
		if d.secrets == nil {
			s, ok = "(sensitive)", true
		}
		if !ok {
			return fmt.Errorf("%s: the secret %q is not in the agent's secrets", path, name)
		}
		val = s
	}
	switch v.Kind() {
	case reflect.String:
		if s, ok := val.(string); ok {
			v.SetString(s)
			return nil
		}
	case reflect.Bool:
		if b, ok := val.(bool); ok {
			v.SetBool(b)
			return nil
		}
	case reflect.Int, reflect.Int64, reflect.Int32:
		if f, ok := number(val); ok && f == float64(int64(f)) {
			v.SetInt(int64(f))
			return nil
		}
	case reflect.Float64:
		if f, ok := number(val); ok {
			v.SetFloat(f)
			return nil
		}
	}
	return wrongType(path, v.Kind().String(), val)
}

func number(val any) (float64, bool) {
	switch n := val.(type) {
	case float64:
		return n, true
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	}
	return 0, false
}

func wrongType(path, want string, got any) error {
	j, _ := json.Marshal(got)
	return fmt.Errorf("%s must be %s, not %s", path, want, j)
}

func decodeUnit(path string, val any, v reflect.Value) error {
	s, ok := val.(string)
	if !ok {
		f, ok := number(val)
		if !ok {
			return wrongType(path, "a duration or size", val)
		}
		s = fmt.Sprint(f)
	}
	if v.Type() == typeBytes {
		n, err := ParseSize(s)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		v.SetInt(n)
		return nil
	}
	n, err := ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	v.SetInt(int64(n))
	return nil
}

func decodeRef(path string, val any) (Ref, error) {
	m, ok := val.(map[string]any)
	addr, ok2 := m["ref"].(string)
	if !ok || !ok2 {
		return Ref{}, wrongType(path, "a reference", val)
	}
	r := Ref{Address: addr}
	if attrs, ok := m["attrs"].(map[string]any); ok {
		r.Attrs = map[string]string{}
		for k, a := range attrs {
			r.Attrs[k], _ = a.(string)
		}
	}
	return r, nil
}

func decodeExpr(path string, val any) (Expr, error) {
	m, ok := val.(map[string]any)
	if !ok {
		return Expr{Const: val}, nil
	}
	if _, ok := m["ref"]; ok {
		r, err := decodeRef(path, val)
		return Expr{Ref: &r}, err
	}
	src, ok := m["expr"].(string)
	if !ok {
		return Expr{Const: val}, nil
	}
	e := Expr{Src: src}
	e.Consts, _ = m["consts"].(map[string]any)
	if at, ok := m["at"].(map[string]any); ok {
		e.At.File, _ = at["file"].(string)
		line, _ := number(at["line"])
		col, _ := number(at["col"])
		e.At.Line, e.At.Col = int(line), int(col)
	}
	return e, nil
}

// Encode gives the form that an Expr has in a Config.
func (e Expr) Encode() any {
	switch {
	case e.Ref != nil:
		return e.Ref.Encode()
	case e.Src == "":
		return e.Const
	}
	m := map[string]any{"expr": e.Src}
	if len(e.Consts) > 0 {
		m["consts"] = e.Consts
	}
	if e.At.File != "" {
		m["at"] = map[string]any{"file": e.At.File, "line": float64(e.At.Line), "col": float64(e.At.Col)}
	}
	return m
}

// Encode gives the form that a Ref has in a Config.
func (r Ref) Encode() any {
	m := map[string]any{"ref": r.Address}
	if len(r.Attrs) > 0 {
		attrs := map[string]any{}
		for k, v := range r.Attrs {
			attrs[k] = v
		}
		m["attrs"] = attrs
	}
	return m
}

// encode gives the form that a default has in a Config.
func encode(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case Expr:
		return x.Encode()
	case Ref:
		return x.Encode()
	case time.Duration:
		return FormatDuration(x)
	case Bytes:
		return FormatSize(int64(x))
	case Secret:
		return string(x)
	}
	switch v.Kind() {
	case reflect.Int, reflect.Int64, reflect.Int32:
		return float64(v.Int())
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = encode(v.Index(i))
		}
		return out
	case reflect.Map:
		out := map[string]any{}
		for _, k := range v.MapKeys() {
			out[k.String()] = encode(v.MapIndex(k))
		}
		return out
	case reflect.String:
		return v.String()
	default:
		return v.Interface()
	}
}
