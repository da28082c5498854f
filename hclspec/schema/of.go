package schema

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Of reads the schema from a struct that holds the defaults. Fields carry `collect:"name,flag,…"` and `doc:"…"`.
//
// Flags: required; event (⚡: the field is an Expr or map[string]Expr); bool, number (what an Expr must give; without one any
// text, number or condition); path; secret; reload, swap, restart, rename (the effect
// of a change); enum=a|b|c; ref=KIND (what a reference must be); provider=TYPE (the field holds the settings of that provider).
// A struct field is a block, a pointer to a struct a block that may be missing, a slice of structs a repeated block.
// A wrong tag is a bug of the component, so Of panics.
func Of(defaults any) *Block {
	v := reflect.ValueOf(defaults)
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	b := &Block{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		tag, ok := f.Tag.Lookup("collect")
		if !ok {
			continue
		}
		addField(b, f, v.Field(i), tag)
	}
	return b
}

func addField(b *Block, f reflect.StructField, v reflect.Value, tag string) {
	name, flags, _ := strings.Cut(tag, ",")
	a := Attr{Name: name, Doc: f.Tag.Get("doc"), Effect: Swap}
	for _, flag := range strings.Split(flags, ",") {
		a.flag(f, flag)
	}
	if a.Doc == "" {
		panic(fmt.Sprintf("schema: field %s has no doc", f.Name))
	}
	t := f.Type
	if a.Provider != "" {
		a.Type, a.Block = ProviderOf, Of(reflect.New(t).Elem().Interface())
		b.Attrs = append(b.Attrs, a)
		return
	}
	if inner, multiple, ok := nestedType(t); ok {
		d := reflect.New(inner).Elem()
		if t.Kind() == reflect.Struct {
			d = v
		} else if t.Kind() == reflect.Pointer && !v.IsNil() {
			d = v.Elem()
		}
		b.Blocks = append(b.Blocks, Nested{Name: name, Multiple: multiple, Block: Of(d.Interface()), Doc: a.Doc, Effect: a.Effect})
		return
	}
	if t := valueType(f, a); a.Type == "" {
		a.Type = t
	}
	if !v.IsZero() {
		a.Default = encode(v)
	}
	b.Attrs = append(b.Attrs, a)
}

func (a *Attr) flag(f reflect.StructField, flag string) {
	key, val, _ := strings.Cut(flag, "=")
	switch key {
	case "":
	case "required":
		a.Required = true
	case "bool":
		a.Type = Bool
	case "number":
		a.Type = Float
	case "event":
		a.Event = true
	case "path":
		a.Path = true
	case "contents":
		a.Path, a.Contents = true, true
	case "cron":
		a.Cron = true
	case "secret":
		a.Secret = true
	case "reload", "swap", "restart", "rename":
		a.Effect = Effect(key)
	case "enum":
		a.Enum = strings.Split(val, "|")
	case "ref":
		a.Ref = Kind(val)
	case "provider":
		a.Provider = val
	default:
		panic(fmt.Sprintf("schema: field %s has the unknown flag %q", f.Name, flag))
	}
}

var (
	typeExpr     = reflect.TypeFor[Expr]()
	typeRef      = reflect.TypeFor[Ref]()
	typeDuration = reflect.TypeFor[time.Duration]()
	typeBytes    = reflect.TypeFor[Bytes]()
)

func nestedType(t reflect.Type) (inner reflect.Type, multiple, ok bool) {
	switch {
	case t == typeExpr || t == typeRef:
		return nil, false, false
	case t.Kind() == reflect.Struct:
		return t, false, true
	case t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct:
		return t.Elem(), false, true
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct && t.Elem() != typeRef:
		return t.Elem(), true, true
	}
	return nil, false, false
}

func valueType(f reflect.StructField, a Attr) ValueType {
	t := f.Type
	switch {
	case t == typeExpr:
		return String
	case t == typeRef:
		return Reference
	case t == typeDuration:
		return Duration
	case t == typeBytes:
		return Size
	}
	switch t.Kind() {
	case reflect.String:
		return String
	case reflect.Bool:
		return Bool
	case reflect.Int, reflect.Int64, reflect.Int32:
		return Int
	case reflect.Float64:
		return Float
	case reflect.Slice:
		if t.Elem() == typeRef {
			return References
		}
		if t.Elem().Kind() == reflect.String {
			return StringList
		}
	case reflect.Map:
		if t.Elem() == typeExpr {
			return ExprMap
		}
		if t.Elem().Kind() == reflect.String {
			return StringMap
		}
	}
	panic(fmt.Sprintf("schema: field %s has a type that no argument can have: %s", f.Name, t))
}
