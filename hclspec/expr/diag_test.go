package expr

import (
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"collect/hclspec/internal/native"
	"collect/hclspec/schema"
)

// wrongExpressions maps an expression to the place of its error and a part of its text.
func wrongExpressions() map[string]string {
	return map[string]string{
		`event.bdy`:                                       `1,6-10: Unknown event attribute; event has no attribute "bdy": it has body, time, headers and meta. Did you mean event.body?`,
		`event.speed`:                                     `A header is written event.headers.speed.`,
		`event`:                                           `Incomplete path`,
		`event.meta`:                                      `Incomplete path`,
		`event.meta.fil`:                                  `Did you mean file?`,
		`event.body.x`:                                    `1,11-13: Wrong path`,
		`event.headers.a.b`:                               `event.headers["a.b"]`,
		`event.headers[0]`:                                `Headers have names`,
		`event["x"]`:                                      `event has no attribute "x"`,
		`event[0]`:                                        `body, time, headers and meta`,
		`event.*.x`:                                       `Incomplete path`,
		`can(event.bdy)`:                                  `1,10-14: Unknown event attribute`,
		`try(event.headrs.x, "y")`:                        `Did you mean event.headers?`,
		`can(regex("(", event.body))`:                     "1,11-14: Wrong pattern; Invalid pattern: missing closing ): `(`.",
		`try(regexx("a", event.body), "")`:                `Did you mean regex?`,
		`can(upper(event.body, "x"))`:                     `Wrong number of arguments; upper() takes one argument, not 2.`,
		`try(upper(), event.body)`:                        `1`,
		`try(var.nix, event.body)`:                        `Unsupported attribute`,
		`upper(event.headers)`:                            `must be a text, and this is an object`,
		`event.headers.speed == 120`:                      `1,1-27: Values of different types; A text and a number are never equal. Convert it: tonumber(event.headers.speed).`,
		`120 != event.headers.speed`:                      `tonumber(event.headers.speed)`,
		`event.body == true`:                              `tobool(event.body)`,
		`event.meta.offset == "5"`:                        `Write the other side as a text, in quotes.`,
		`event.meta.offset == true`:                       `A number and a bool are never equal`,
		`try(event.headers.speed, 0) == 0`:                `A text and a number are never equal`,
		`event.headers.x == null`:                         `use can(event.headers.NAME)`,
		`contains([120, 130], event.headers.speed)`:       `A text and a number are never equal`,
		`event.headers.speed > "fast"`:                    `A number is needed here, and "fast" is none.`,
		`event.headers.speed > true`:                      `This is a bool, and a number is needed here.`,
		`!event.meta.offset`:                              `This is a number, and true or false is needed here.`,
		`event.body && "maybe"`:                           `true or false is needed here, and "maybe" is neither`,
		`"x${event.headers[*]}"`:                          `This is a list, and a text is needed here.`,
		`"x${event.headers}"`:                             `This is an object, and a text is needed here.`,
		`split(",", event.body)`:                          `jsonencode()`,
		`event.headers`:                                   `jsonencode()`,
		`event.body == "x" ? 1 : [event.body]`:            `Results of different types`,
		`event.body == "x" ? 1 : true`:                    `Results of different types`,
		`regex(event.headers.x, event.body)`:              `Pattern per event`,
		`regexall("[", event.body)`:                       `missing closing ]`,
		`replace(event.body, "/[/", "")`:                  `Wrong pattern`,
		`replace(event.body, event.headers.x, "")`:        `Pattern per event`,
		`regex("(a)", event.body)[1]`:                     `There are 1 elements here, so the last index is 0.`,
		`regex("(?P<year>a)", event.body).yaer`:           `Did you mean year?`,
		`regex("(?P<y>a)(b)", event.body)`:                `cannot mix`,
		`formatdate("YYYYMMDDD", event.time)`:             `Wrong layout`,
		`formatdate("'x", event.time)`:                    `Unterminated`,
		`formatdate(event.body, event.time)`:              `Layout per event`,
		`intimezone(event.time, "Asia/Soul")`:             `"Asia/Soul" is not a known time zone`,
		`intimezone(event.time, event.headers.zone)`:      `Time zone per event`,
		`timeadd(event.time, "10 minutes")`:               `Wrong duration`,
		`timecmp(event.time, "yesterday")`:                `Wrong time`,
		`parsetime("QQ", event.body)`:                     `Wrong layout`,
		`parseint(event.body, 99)`:                        `The base is a whole number from 2 to 62.`,
		`format("%d %d", event.meta.offset)`:              `Wrong format`,
		`format("%y", event.meta.offset)`:                 `Wrong format`,
		`join(",", event.body)`:                           `must be a list`,
		`lookup(var.limit, event.body, "")`:               `Wrong argument`,
		`element(event.body, 1)`:                          `Wrong argument`,
		`length(event.meta.offset)`:                       `Wrong argument`,
		`channel[event.headers.x]`:                        `A reference cannot be used`,
		`"${channel.a}${event.body}"`:                     `A reference cannot be used`,
		`"${var.secret}${event.body}"`:                    `Sensitive value per event`,
		`env("X") == event.body`:                          `env`,
		`yamldecode(event.body)`:                          `yamldecode() can be used where the configuration is evaluated, but not on events.`,
		`sensitive(event.body)`:                           `not on events`,
		`max(event.body...)`:                              `must not depend on the event`,
		`min()`:                                           `1`,
		`{ (event.body) = 1 }`:                            `keys of an object must not depend on the event`,
		`[for x in event.body : x]`:                       `This is a text, and a list or object is needed here.`,
		`{ for x in split(",", event.body) : x => x... }`: `Grouping`,
		`event.body[0]`:                                   `which has no elements`,
		`split(",", event.body)[-1]`:                      `An index is a whole number from 0.`,
		`split(",", event.body)["x"]`:                     `A number is needed here`,
		`event.headers.speed > var.none`:                  `The value is null.`,
		`"${var.none}${event.body}"`:                      `The value is null.`,
		`null`:                                            `The value is null.`,
		`jsondecode(event.body)[event.headers]`:           `a text or number is needed`,
	}
}

func TestWrongExpressions(t *testing.T) {
	t.Parallel()
	for src, want := range wrongExpressions() {
		t.Run(src, func(t *testing.T) {
			t.Parallel()
			_, diags := Residual(parse(t, src), []byte(src), testContext(), TypeAny)
			if !diags.HasErrors() {
				t.Fatal("it is accepted")
			}
			if got := strings.TrimPrefix(diags.Error(), "main.hcl:"); !strings.Contains(got, want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if diags[0].Subject == nil || diags[0].Subject.Filename != "main.hcl" {
				t.Error("the diagnostic does not say where")
			}
		})
	}
}

func TestAllErrorsAreReportedAtOnce(t *testing.T) {
	t.Parallel()
	src := `event.bdy == "x" || can(regex("(", event.body)) || upp(event.time)`
	_, diags := Residual(parse(t, src), []byte(src), testContext(), TypeBool)
	if len(diags) != 3 {
		t.Errorf("got %d diagnostics, want 3: %s", len(diags), diags)
	}
}

func TestConstantConditions(t *testing.T) {
	t.Parallel()
	for _, src := range []string{`true`, `true || event.body == "x"`, `event.body == "x" && false`, `can(event.body)`, `1 > 2`, `can("x")`, `can(formatdate("YYYY", event.time))`} {
		_, diags := Residual(parse(t, src), []byte(src), testContext(), TypeBool)
		if !diags.HasErrors() || !strings.Contains(diags.Error(), "Constant condition") {
			t.Errorf("%s: got %v, want that the condition is constant", src, diags)
		}
	}
	if _, err := Compile(schema.Expr{Const: true}, TypeBool); err == nil {
		t.Error("a constant condition of a spec is accepted")
	}
}

func TestTwelveHourClockIsAWarning(t *testing.T) {
	t.Parallel()
	src := `formatdate("YYYYMMDDHH", event.time)`
	_, diags := Residual(parse(t, src), []byte(src), testContext(), TypeString)
	if diags.HasErrors() || len(diags) != 1 || diags[0].Severity != hcl.DiagWarning {
		t.Errorf("got %v, want one warning", diags)
	}
}

func TestWrongTypesForTheArgument(t *testing.T) {
	t.Parallel()
	for want, srcs := range map[Type][]string{
		TypeBool:   {`event.meta.offset`, `split(",", event.body)`},
		TypeNumber: {`event.headers.x == "y"`, `event.headers`, `[event.body]`},
		TypeString: {`split(",", event.body)`, `{ a = event.body }`},
	} {
		for _, src := range srcs {
			if _, diags := Residual(parse(t, src), []byte(src), testContext(), want); !diags.HasErrors() {
				t.Errorf("%s is accepted as %d", src, want)
			}
		}
	}
}

func TestResiduals(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`event.headers.speed>var.limit`:                      `event.headers.speed > 120`,
		"event.headers.speed /* c */ >\t120":                 `event.headers.speed > 120`,
		`event.headers["car"]`:                               `event.headers["car"]`,
		`"${event.body}"`:                                    `event.body`,
		`"a${var.limit}b${event.body}"`:                      `"a120b${event.body}"`,
		`"${""}${event.body}"`:                               `"${""}${event.body}"`,
		"<<EOT\na \"${event.body}\"\nEOT\n":                  `"a \"${event.body}\"\n"`,
		`contains(split("-", "a-b"), event.body)`:            `contains(["a", "b"], event.body)`,
		`!(event.body == "a" || event.body == "b")`:          `!(event.body == "a" || event.body == "b")`,
		`-event.headers.x + (var.limit - 1)`:                 `-event.headers.x + 119`,
		`(event.headers.a + 1) * 2 - (3 - event.headers.b)`:  `(event.headers.a + 1) * 2 - (3 - event.headers.b)`,
		`(event.body == "a") == (event.body == "b" && true)`: `event.body == "a" == (event.body == "b" && true)`,
		`event.headers.a - (-2)`:                             `event.headers.a - -2`,
		`-(-event.headers.a)`:                                `-(-event.headers.a)`,
		`(event.body == "a" ? "x" : "y") == "x" ? "p" : event.body == "c" ? "q" : "r"`: `(event.body == "a" ? "x" : "y") == "x" ? "p" : event.body == "c" ? "q" : "r"`,
		`(event.body == "a" ? split(",", event.body) : ["x"])[0]`:                      `(event.body == "a" ? split(",", event.body) : ["x"])[0]`,
		`true ? event.body : "x"`:                                          `true ? event.body : "x"`,
		`"%{for x in split(",", event.body)}${x}%{endfor}"`:                `join("", [for x in split(",", event.body) : x])`,
		`[for k, v in event.headers : v if k != "x"][0]`:                   `[for k, v in event.headers : v if k != "x"][0]`,
		`join("", split(",", event.body)[*])`:                              `join("", split(",", event.body)[*])`,
		`jsonencode({ b = event.body, "a b" = var.by_car })`:               `jsonencode({ "b" = event.body, "a b" = { "A1" = "auto", "B2" = "bus" } })`,
		`event.body == "$${x} %%{y} \" \\ \u0001"`:                         `event.body == "$${x} %%{y} \" \\ \u0001"`,
		`strcontains(event.body, var.long)`:                                `strcontains(event.body, const[0])`,
		`[for const in split(",", event.body) : "${const}${var.long}"][0]`: `[for const in split(",", event.body) : "${const}` + longText() + `"][0]`,
		`[for const in split(",", event.body) : const == var.long][0]`:     `[for const in split(",", event.body) : const == const_[0]][0]`,
		`event.body == var.later`:                                          `event.body == var.later`,
	} {
		e := parse(t, src)
		r, diags := Residual(e, []byte(src), testContext(), TypeAny)
		if diags.HasErrors() {
			t.Errorf("%s: %s", src, diags)
			continue
		}
		if r.Src != want {
			t.Errorf("%s\ngot  %s\nwant %s", src, r.Src, want)
		}
		if r.At != (schema.Pos{File: "main.hcl", Line: 1, Col: 1}) {
			t.Errorf("%s: place %v", src, r.At)
		}
		if src == `event.body == var.later` {
			continue
		}
		if _, err := Compile(r, TypeAny); err != nil {
			t.Errorf("%s: the residual does not compile: %s", src, err)
		}
		// The residual of a residual is itself.
		e2, d := hclsyntax.ParseExpression([]byte(r.Src), "", hcl.InitialPos)
		if d.HasErrors() {
			t.Fatal(d)
		}
		if len(r.Consts) > 0 {
			continue
		}
		if r2, d := Residual(e2, []byte(r.Src), testContext(), TypeAny); d.HasErrors() || r2.Src != r.Src {
			t.Errorf("%s: residual of the residual: %s %v", r.Src, r2.Src, d)
		}
	}
}

func TestResidualGoesThroughASpec(t *testing.T) {
	t.Parallel()
	src := `strcontains(event.body, var.long) || event.body == "x"`
	r, diags := Residual(parse(t, src), []byte(src), testContext(), TypeBool)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	var into struct {
		When schema.Expr `collect:"when,event"`
	}
	if err := schema.Decode(schema.Config{"when": r.Encode()}, nil, &into); err != nil {
		t.Fatal(err)
	}
	p, err := Compile(into.When, TypeBool)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := p.Bool(newEvent("-"+longText(), nil), new(Scratch)); !ok || err != nil {
		t.Error(ok, err)
	}
}

func TestConstantsOfASpec(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		v    any
		text string
	}{{"x", "x"}, {12.5, "12.5"}, {true, "true"}, {1e6, "1000000"}} {
		p, err := Compile(schema.Expr{Const: c.v}, TypeString)
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.Bytes(nil, nil)
		if err != nil || string(b) != c.text || !p.IsConst() {
			t.Errorf("%v: got %q, %v, constant %v", c.v, b, err, p.IsConst())
		}
		if parts := p.Parts(); len(parts) != 1 || parts[0].Literal != c.text {
			t.Errorf("%v: parts %v", c.v, parts)
		}
	}
	for name, e := range map[string]schema.Expr{
		"reference": {Ref: &schema.Ref{Address: "topic.x"}},
		"list":      {Const: []any{"a"}},
		"syntax":    {Src: "event.body =="},
		"unknown":   {Src: "var.x == event.body"},
		"depth":     {Src: strings.Repeat("(", 500) + "event.body" + strings.Repeat(")", 500)},
		"bangs":     {Src: strings.Repeat("!", 500) + "event.body"},
		"ifs":       {Src: strings.Repeat("event.body ? 1 : ", 500) + "1"},
		"number":    {Const: "x"},
	} {
		want := TypeString
		if name == "number" {
			want = TypeNumber
		}
		if _, err := Compile(e, want); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestMentions(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]bool{
		`event.body`: true, `var.x`: false, `"${event.time}"`: true, `{ event = 1 }`: false, `{ (event.body) = 1 }`: true,
		`[for event in var.l : event]`: false, `[for x in var.l : event.body]`: true, `f(1, [event.headers.x])`: true, `"event"`: false,
	} {
		if got := Mentions(parse(t, src)); got != want {
			t.Errorf("%s: got %v", src, got)
		}
	}
}

func TestEachFunctionThatIsAllowedPerEventHasAType(t *testing.T) {
	t.Parallel()
	fs := Functions()
	if len(fs) < 80 {
		t.Errorf("there are only %d functions", len(fs))
	}
	var names []string
	for name := range native.Table() {
		if !fs[name].EventSafe {
			t.Errorf("%s has closures and is not allowed per event", name)
		}
	}
	for name := range fs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, need := range strings.Fields(`upper lower title trim trimspace trimprefix trimsuffix replace substr split join format
		formatlist strlen length startswith endswith strcontains indent chomp strrev concat contains distinct element flatten keys
		values lookup merge range reverse setunion setintersection setsubtract setproduct slice sort toset tolist tomap zipmap
		coalesce compact index one sum min max alltrue anytrue abs ceil floor log pow signum parseint tonumber tostring tobool regex
		regexall regexreplace try can jsondecode jsonencode yamldecode yamlencode csvdecode formatdate intimezone timeadd timecmp
		parsetime duration size md5 sha1 sha256 sha512 base64encode base64decode cidrhost cidrsubnet urlencode sensitive nonsensitive`) {
		if !slices.Contains(names, need) {
			t.Errorf("%s is missing", need)
		}
	}
}
