package schema

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type sample struct {
	Name     string            `collect:"name,required,rename" doc:"A name."`
	Mode     string            `collect:"mode,enum=a|b" doc:"A mode."`
	Password string            `collect:"password,secret,reload" doc:"A password."`
	On       bool              `collect:"on" doc:"A switch."`
	Count    int               `collect:"count" doc:"A number."`
	Ratio    float64           `collect:"ratio,restart" doc:"A ratio."`
	Wait     time.Duration     `collect:"wait" doc:"A time."`
	Max      Bytes             `collect:"max" doc:"A size."`
	Files    []string          `collect:"files,path" doc:"Files."`
	Labels   map[string]string `collect:"labels" doc:"Labels."`
	Key      Expr              `collect:"key,event" doc:"A key."`
	Keep     Expr              `collect:"keep,event,bool" doc:"A condition."`
	Part     Expr              `collect:"part,event,number" doc:"A number of the event."`
	Headers  map[string]Expr   `collect:"headers,event" doc:"Headers."`
	Channel  Ref               `collect:"channel,ref=channel" doc:"A channel."`
	Sinks    []Ref             `collect:"sinks,ref=sink" doc:"Sinks."`
	Roll     roll              `collect:"roll" doc:"A block."`
	TLS      *roll             `collect:"tls" doc:"A block that may be missing."`
	Rules    []roll            `collect:"rule" doc:"Blocks."`
	Provider roll              `collect:"provider,provider=kafka" doc:"A provider."`
	Ignored  chan int
}

type roll struct {
	Size Bytes `collect:"size" doc:"A size."`
}

func defaults() sample {
	return sample{Mode: "a", Wait: 90 * time.Second, Max: 64 << 20, Files: []string{"x"}, Roll: roll{Size: 1 << 10}}
}

func TestASchemaIsReadFromTheStruct(t *testing.T) {
	t.Parallel()
	b := Of(defaults())
	got := map[string]string{}
	for _, a := range b.Attrs {
		got[a.Name] = string(a.Type) + " " + string(a.Effect)
	}
	want := map[string]string{
		"name": "string rename", "mode": "string swap", "password": "string reload", "on": "bool swap", "count": "int swap",
		"ratio": "float restart", "wait": "duration swap", "max": "size swap", "files": "list(string) swap", "labels": "map(string) swap",
		"key": "string swap", "keep": "bool swap", "part": "float swap", "headers": "map(expression) swap", "channel": "reference swap",
		"sinks": "list(reference) swap", "provider": "provider swap",
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("-got +want\n%s", diff)
	}
	for name, want := range map[string]any{"wait": "1m30s", "max": "64MiB", "mode": "a", "files": []any{"x"}, "count": nil} {
		a, ok := b.Attr(name)
		if !ok || !cmp.Equal(a.Default, want) {
			t.Errorf("default of %s: got %v, want %v", name, a.Default, want)
		}
	}
	if a, _ := b.Attr("provider"); a.Provider != "kafka" || a.Block == nil {
		t.Errorf("provider: got %+v", a)
	}
	if n, ok := b.Nested("rule"); !ok || !n.Multiple {
		t.Error("rule is not a repeated block")
	}
	if n, _ := b.Nested("roll"); n.Block.Attrs[0].Default != "1KiB" {
		t.Errorf("default inside a block: got %v", n.Block.Attrs[0].Default)
	}
	if n, _ := b.Nested("tls"); n.Block.Attrs[0].Default != nil {
		t.Error("a block that is missing has defaults")
	}
}

func TestWrongTagsPanic(t *testing.T) {
	t.Parallel()
	cases := map[string]any{
		"no doc": struct {
			A string `collect:"a"`
		}{},
		"an unknown flag": struct {
			A string `collect:"a,requierd" doc:"x"`
		}{},
		"a type that no argument has": struct {
			A complex128 `collect:"a" doc:"x"`
		}{},
	}
	for name, v := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			Of(v)
		})
	}
}

func TestDecodeFillsTheStruct(t *testing.T) {
	t.Parallel()
	c := Config{
		"name": "n", "password": map[string]any{"secret": "P", "fp": "f"}, "on": true, "count": 3.0, "ratio": 0.5, "wait": "5s", "max": "1KiB",
		"files": []any{"a", "b"}, "labels": map[string]any{"k": "v", "s": map[string]any{"secret": "P", "fp": "f"}},
		"key":     map[string]any{"expr": "event.body", "consts": map[string]any{"x": 1.0}, "at": map[string]any{"file": "f", "line": 1.0, "col": 2.0}},
		"headers": map[string]any{"h": "const", "e": map[string]any{"expr": "event.time"}},
		"channel": map[string]any{"ref": "channel.c", "attrs": map[string]any{"name": "x"}}, "sinks": []any{map[string]any{"ref": "sink.a"}},
		"roll": map[string]any{"size": 5.0}, "tls": map[string]any{}, "rule": []any{map[string]any{"size": "1B"}},
	}
	got := defaults()
	if err := Decode(c, Secrets{"P": "hunter2"}, &got); err != nil {
		t.Fatal(err)
	}
	want := sample{
		Name: "n", Mode: "a", Password: "hunter2", On: true, Count: 3, Ratio: 0.5, Wait: 5 * time.Second, Max: 1024, Files: []string{"a", "b"},
		Labels:  map[string]string{"k": "v", "s": "hunter2"},
		Key:     Expr{Src: "event.body", Consts: map[string]any{"x": 1.0}, At: Pos{"f", 1, 2}},
		Headers: map[string]Expr{"h": {Const: "const"}, "e": {Src: "event.time"}},
		Channel: Ref{Address: "channel.c", Attrs: map[string]string{"name": "x"}}, Sinks: []Ref{{Address: "sink.a"}},
		Roll: roll{5}, TLS: &roll{}, Rules: []roll{{1}},
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("-got +want\n%s", diff)
	}
	if got := want.Sinks[0].Name(); got != "a" {
		t.Errorf("name of sink.a: got %q", got)
	}
}

func TestDecodeNamesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		c       Config
		secrets Secrets
		want    string
	}{
		"an unknown argument":          {Config{"b": 1.0, "a": 1.0}, nil, "unknown argument a, b"},
		"an unknown argument inside":   {Config{"roll": map[string]any{"sice": 1.0}}, nil, "unknown argument roll.sice"},
		"text for a switch":            {Config{"on": "yes"}, nil, `on must be bool, not "yes"`},
		"a broken number":              {Config{"count": 1.5}, nil, "count must be int, not 1.5"},
		"text for a block":             {Config{"roll": "x"}, nil, `roll must be a block, not "x"`},
		"text for a list":              {Config{"files": "x"}, nil, `files must be a list, not "x"`},
		"text for a map":               {Config{"labels": "x"}, nil, `labels must be a map, not "x"`},
		"text for a reference":         {Config{"channel": "c"}, nil, `channel must be a reference, not "c"`},
		"a wrong size":                 {Config{"max": "big"}, nil, `max: "big" is not a size`},
		"a wrong duration in a list":   {Config{"wait": true}, nil, "wait must be a duration or size, not true"},
		"a wrong element":              {Config{"files": []any{"a", 1.0}}, nil, "files[1] must be string, not 1"},
		"a secret that nobody has":     {Config{"password": map[string]any{"secret": "Q"}}, Secrets{"P": "x"}, `password: the secret "Q" is not in the agent's secrets`},
		"a map where a secret belongs": {Config{"password": map[string]any{"x": 1.0}}, nil, `password must be string, not {"x":1}`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := defaults()
			err := Decode(c.c, c.secrets, &s)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestSecretsNeedNoValueToBeChecked(t *testing.T) {
	t.Parallel()
	s := defaults()
	if err := Decode(Config{"password": map[string]any{"secret": "P", "fp": "x"}}, nil, &s); err != nil || s.Password != "(sensitive)" {
		t.Errorf("got %q, %v", s.Password, err)
	}
	secret := Secret("hunter2")
	if secret.String() != "(sensitive)" || secret.GoString() != "(sensitive)" || secret.Reveal() != "hunter2" {
		t.Error("a secret shows itself")
	}
}

func TestExpressionsComeBackFromTheirEncoding(t *testing.T) {
	t.Parallel()
	for _, e := range []Expr{
		{},
		{Const: "x"},
		{Const: 1.5},
		{Const: true},
		{Src: "event.body"},
		{Src: "x", Consts: map[string]any{"a": 1.0}, At: Pos{"f", 3, 4}},
		{Ref: &Ref{Address: "topic.t", Attrs: map[string]string{"name": "n"}}},
	} {
		got, err := decodeExpr("e", e.Encode())
		if err != nil || !cmp.Equal(got, e) {
			t.Errorf("got %+v, want %+v (%v)", got, e, err)
		}
		if e.IsSet() == (e.Const == nil && e.Src == "" && e.Ref == nil) {
			t.Errorf("IsSet of %+v is wrong", e)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "5": 5, "5B": 5, "1KiB": 1024, " 64 MiB ": 64 << 20, "1.5GB": 1500000000, "1kB": 1000, "2TiB": 2 << 40,
	} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
		back, err := ParseSize(FormatSize(got))
		if err != nil || back != got {
			t.Errorf("%q is written %q, which is %d", text, FormatSize(got), back)
		}
	}
	for _, text := range []string{"", "x", "-1", "5 apples", "NaN", "Inf", "99999999999TiB", "MiB"} {
		if n, err := ParseSize(text); err == nil {
			t.Errorf("%q: got %d, want an error", text, n)
		}
	}
	if Bytes(1536).String() != "1536B" || Bytes(2048).String() != "2KiB" {
		t.Error("sizes are not written in their shortest exact form")
	}
}

func TestDurations(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0": 0, "90": 90 * time.Second, "1.5": 1500 * time.Millisecond, "5s": 5 * time.Second, "7d": 168 * time.Hour, "1d12h": 36 * time.Hour, "100ms": 100 * time.Millisecond,
	} {
		got, err := ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("%q: got %s, %v, want %s", text, got, err, want)
		}
		back, err := ParseDuration(FormatDuration(got))
		if err != nil || back != got {
			t.Errorf("%q is written %q, which is %s", text, FormatDuration(got), back)
		}
	}
	for _, text := range []string{"", "x", "-5s", "5 minutes", "NaN", "1e30", "99999d300000h", "d"} {
		if d, err := ParseDuration(text); err == nil {
			t.Errorf("%q: got %s, want an error", text, d)
		}
	}
	for d, want := range map[time.Duration]string{time.Minute: "1m", time.Hour: "1h", 90 * time.Minute: "1h30m", time.Hour + time.Second: "1h0m1s", 0: "0s", 20 * time.Second: "20s"} {
		if got := FormatDuration(d); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestPlacesAreNotPartOfTheHash(t *testing.T) {
	t.Parallel()
	spec := func(line int, size string) *AgentSpec {
		at := Pos{"main.hcl", line, 1}
		return &AgentSpec{
			Version: SpecVersion, Address: "agent.a", At: at,
			Sources:  []SourceSpec{{Type: "tail", Name: "t", At: at, Routes: []RouteSpec{{When: Expr{Src: "event.body == \"\"", At: at}.Encode(), Channels: []string{"c"}, At: at}}}},
			Channels: []ChannelSpec{{Type: "memory", Name: "c", Config: Config{"max_size": size}, At: at}},
		}
	}
	if spec(1, "1MiB").Hash() != spec(9, "1MiB").Hash() {
		t.Error("the hash depends on the place")
	}
	if spec(1, "1MiB").Hash() == spec(1, "2MiB").Hash() {
		t.Error("the hash does not depend on the contents")
	}
	raw, err := spec(1, "1MiB").Canonical()
	if err != nil || !strings.Contains(string(raw), `"at":{"file":"main.hcl","line":1,"col":1}`) {
		t.Errorf("the spec itself has no places: %s, %v", raw, err)
	}
	if (Pos{}).String() != "" || (Pos{"f", 2, 3}).String() != "f:2" {
		t.Error("places are not written as file:line")
	}
}

func TestDefaultsOfTheLanguageFitTheirSchemas(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]any{"source": DefaultSourceSettings(), "sink": DefaultSinkSettings(), "group": DefaultGroupSettings(), "agent": DefaultAgentSettings()} {
		if b := Of(v); len(b.Attrs)+len(b.Blocks) == 0 {
			t.Errorf("%s has no settings", name)
		}
	}
	if n, err := ParseSize(FormatSize(math.MaxInt32)); err != nil || n != math.MaxInt32 {
		t.Errorf("got %d, %v", n, err)
	}
}
