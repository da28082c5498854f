package providertest

import (
	"testing"

	"collect/runtime/flow"
)

// HeaderSetter is the suite of interceptors that set one header: with the arguments header and preserve.
type HeaderSetter struct {
	New      func(header string, preserve bool, env flow.Env) (flow.Interceptor, error)
	Validate func(header string) error
	Default  string // name of the header
	Want     string // its value; "" leaves it open
}

func (h HeaderSetter) suite(header string, preserve bool) Interceptor {
	return Interceptor{
		New:  func(t testing.TB, env flow.Env) flow.Interceptor { return h.make(t, header, preserve, env) },
		Body: "body", Headers: map[string]string{"kind": "x"},
	}
}

func (h HeaderSetter) make(t testing.TB, header string, preserve bool, env flow.Env) flow.Interceptor {
	t.Helper()
	if err := h.Validate(header); err != nil {
		t.Fatal(err)
	}
	ic, err := h.New(header, preserve, env)
	if err != nil {
		t.Fatal(err)
	}
	return ic
}

// Test runs the suite.
func (h HeaderSetter) Test(t *testing.T) {
	t.Run("conformance", func(t *testing.T) {
		t.Run("set", h.suite(h.Default, false).Test)
		t.Run("preserve", h.suite("kind", true).Test)
	})
	t.Run("the header is set", h.set)
	t.Run("once more changes nothing", h.twice)
	t.Run("wrong names are refused", func(t *testing.T) {
		for _, name := range []string{"", "collect.x"} {
			if h.Validate(name) == nil {
				t.Errorf("%q: accepted", name)
			}
		}
	})
}

// Bench measures it.
func (h HeaderSetter) Bench(b *testing.B) { h.suite(h.Default, false).Bench(b) }

func (h HeaderSetter) set(t *testing.T) {
	for what, tt := range map[string]struct {
		preserve bool
		headers  map[string]string
		kept     bool
	}{
		"set":               {false, nil, false},
		"replaced":          {false, map[string]string{h.Default: "old"}, false},
		"preserved":         {true, map[string]string{h.Default: "old"}, true},
		"nothing to keep":   {true, map[string]string{"other": "x"}, false},
		"others stay as is": {false, map[string]string{"other": "x"}, false},
	} {
		env := Env(t)
		e, _ := One(t, h.make(t, h.Default, tt.preserve, env), env.Pool, "body", tt.headers)
		got := e.Headers[h.Default]
		if kept := got == "old"; kept != tt.kept || got == "" || !kept && h.Want != "" && got != h.Want {
			t.Errorf("%s: the header is %q", what, got)
		}
		if tt.headers["other"] != e.Headers["other"] {
			t.Errorf("%s: another header is lost", what)
		}
	}
}

// twice runs it on its own output, as after an error further on.
func (h HeaderSetter) twice(t *testing.T) {
	env := Env(t)
	b := env.Pool.GetSized(16)
	defer b.Release()
	b.Begin("k", 0, nil)
	b.AddBody([]byte("body"), 5)
	k := &flow.Keep{}
	k.Reset(1)
	ic := h.make(t, h.Default, false, env)
	var got []string
	for range 2 {
		if err := ic.Intercept(b, 0, 1, k); err != nil {
			t.Fatal(err)
		}
		v, _ := b.Header(0, h.Default)
		got = append(got, string(v))
	}
	if got[0] != got[1] || k.Gone(0) {
		t.Errorf("first %q, then %q", got[0], got[1])
	}
}
