package number

import (
	"fmt"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0", "-1.5", "+2", "1e5", ".5", "5.", "1_0", "0x1", "inf", "nan", " 1", "123456789012345678", "1e400", "-", "", "1.2.3", "00012", "0.1000000000000001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := Parse([]byte(s))
		v, werr := cty.ParseNumberVal(s)
		if !ok {
			return // what is refused beyond HCL is in the table of deliberate differences
		}
		if werr != nil {
			if strings.ContainsAny(s, "eE") {
				return // HCL refuses exponents of many digits
			}
			t.Fatalf("%q is read as %v, HCL refuses it", s, got)
		}
		if want, _ := v.AsBigFloat().Float64(); got != want {
			t.Fatalf("%q: got %v, want %v", s, got, want)
		}
		var want float64
		text := Append(nil, got)
		if _, err := fmt.Sscan(string(text), &want); err != nil || want != got {
			t.Fatalf("%v is written as %s", got, text)
		}
	})
}
