package value

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"
)

func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,"x\u00e9\n",true,null,{}],"b":-0}`, `[]`, ` "x" `, `{"a":1,"a":{"b":[[]]}}`, `01`, `{"a"}`, `[1,]`, `"\ud83d\ude00\ud83d"`, `tru`, `{,}`, `-`, `1.`, "\"\x01\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		err := checkJSON(b)
		if err == errDeepJSON {
			return
		}
		if valid := json.Valid(b); valid != (err == nil) {
			t.Fatalf("%q: valid %v, got %v", b, valid, err)
		}
		if err != nil || !utf8.Valid(b) {
			return // bytes that are not UTF-8 stay as they are
		}
		var want any
		if json.Unmarshal(b, &want) != nil {
			return // a number out of range
		}
		v, err := new(Scratch).DecodeJSON(b)
		if err == nil {
			v, err = v.Plain()
		}
		if err != nil {
			return
		}
		got, _ := json.Marshal(asAny(v))
		wanted, _ := json.Marshal(want)
		if !bytes.Equal(got, wanted) {
			t.Fatalf("%q: got %s, want %s", b, got, wanted)
		}
	})
}

// asAny gives a value as package json does.
func asAny(v Value) any {
	switch v.Kind {
	case Bool:
		return v.B
	case Number:
		return v.N
	case String:
		return string(v.S)
	case List:
		out := []any{}
		for _, e := range v.List {
			out = append(out, asAny(e))
		}
		return out
	case Object:
		out := map[string]any{}
		for i, e := range v.List {
			out[v.Obj.Keys[i]] = asAny(e)
		}
		return out
	}
	return nil
}
