package functions

import (
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/constant"
)

// testContext has all functions and a few values.
func testContext() *hcl.EvalContext {
	return &hcl.EvalContext{
		Functions: CtyTable(),
		Variables: map[string]cty.Value{
			"var":     cty.ObjectVal(map[string]cty.Value{"secret": cty.StringVal("x").Mark(Sensitive)}),
			"channel": cty.ObjectVal(map[string]cty.Value{"a": testRef()}),
		},
	}
}

func testRef() cty.Value {
	n := 1
	return cty.CapsuleVal(cty.Capsule("reference", reflect.TypeFor[int]()), &n)
}

func parse(t *testing.T, src string) hclsyntax.Expression {
	t.Helper()
	e, diags := hclsyntax.ParseExpression([]byte(src), "main.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatalf("%s: %s", src, diags)
	}
	return e
}

// at evaluates an expression as the language does where nothing depends on an event.
func at(t *testing.T, src string) (string, error) {
	t.Helper()
	v, diags := parse(t, src).Value(testContext())
	if diags.HasErrors() {
		return "", diags
	}
	return constant.Literal(v), nil
}

func TestPlanTimeFunctions(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`duration("10m")`:                                  `600`,
		`duration("10m", "ms")`:                            `600000`,
		`duration("90s", "m")`:                             `1.5`,
		`duration(5)`:                                      `5`,
		`size("1MiB")`:                                     `1048576`,
		`startswith("abc", "ab")`:                          `true`,
		`replace("a/b", "/", "-")`:                         `"a-b"`,
		`replace("a1b22", "/\\d+/", "#")`:                  `"a#b#"`,
		`regexreplace("a1", "(\\d)", "<$1>")`:              `"a<1>"`,
		`regex("(\\d+)-(\\d+)", "1-2")`:                    `["1", "2"]`,
		`regexall("\\d", "a1b2")`:                          `["1", "2"]`,
		`substr("hello", 1, 3)`:                            `"ell"`,
		`substr("hello", -3, 0)`:                           `""`,
		`length("日本")`:                                     `2`,
		`length([1, 2])`:                                   `2`,
		`length({ a = 1 })`:                                `1`,
		`lookup({ a = 1 }, "a")`:                           `1`,
		`lookup({ a = "x" }, "b", "d")`:                    `"d"`,
		`one([])`:                                          `null`,
		`one(["x"])`:                                       `"x"`,
		`sum([1, 2.5])`:                                    `3.5`,
		`alltrue([true, false])`:                           `false`,
		`alltrue([])`:                                      `true`,
		`anytrue([false, true])`:                           `true`,
		`coalesce("", null, "x")`:                          `"x"`,
		`tonumber("12.5")`:                                 `12.5`,
		`tobool("true")`:                                   `true`,
		`tostring(1.5)`:                                    `"1.5"`,
		`toset(["b", "a", "b"])`:                           `["a", "b"]`,
		`tolist(["a", 1])`:                                 `["a", "1"]`,
		`tomap({ a = "x" })`:                               `{ "a" = "x" }`,
		`setproduct(["a"], ["b"])`:                         `[["a", "b"]]`,
		`range(3)`:                                         `[0, 1, 2]`,
		`zipmap(["a"], [1])`:                               `{ "a" = 1 }`,
		`formatdate("YYYY", "2026-11-22T00:00:00Z")`:       `"2026"`,
		`intimezone("2026-11-22T17:00:00Z", "Asia/Seoul")`: `"2026-11-23T02:00:00+09:00"`,
		`timeadd("2026-11-22T00:00:00.5Z", "1h")`:          `"2026-11-22T01:00:00.500000000Z"`,
		`timecmp("2026-11-22T00:00:00Z", "2026-11-22T09:00:00+09:00")`: `0`,
		`parsetime("YYYYMMDD", "20261122", "Asia/Seoul")`:              `"2026-11-22T00:00:00+09:00"`,
		`jsonencode({ b = [1, true, null], a = "<" })`:                 `"{\"a\":\"\\u003c\",\"b\":[1,true,null]}"`,
		`jsondecode("{\"a\": [1, {\"b\": null}]}").a[0]`:               `1`,
		`yamldecode("a: [1, x]").a[1]`:                                 `"x"`,
		`csvdecode("a,b\n1,2\n")[0].b`:                                 `"2"`,
		`md5("x")`:                                                     `"9dd4e461268c8034f5c8564e155c67a6"`,
		`base64decode(base64encode("é"))`:                              `"é"`,
		`urlencode("a b/c")`:                                           `"a+b%2Fc"`,
		`cidrhost("10.0.0.0/8", 258)`:                                  `"10.0.1.2"`,
		`cidrhost("10.0.0.0/24", -1)`:                                  `"10.0.0.255"`,
		`cidrhost("fd00::/64", 5)`:                                     `"fd00::5"`,
		`cidrsubnet("10.0.0.0/8", 8, 3)`:                               `"10.3.0.0/16"`,
		`try(jsondecode("x"), "bad")`:                                  `"bad"`,
		`can(regex("(", "x"))`:                                         `false`,
		`nonsensitive(sensitive("x"))`:                                 `"x"`,
	} {
		if got, err := at(t, src); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", src, got, err, want)
		}
	}
}

func TestPlanTimeFunctionsRefuse(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`duration("10 parsecs")`:                     `is not a duration`,
		`duration("1m", "weeks")`:                    `is not a unit`,
		`size("big")`:                                `is not a size`,
		`jsonencode(channel.a)`:                      `a reference such as channel.NAME`,
		`jsonencode({ x = [channel.a] })`:            `a reference such as channel.NAME`,
		`yamlencode({ x = channel.a })`:              `a reference such as channel.NAME`,
		`intimezone("2026-11-22T17:00:00Z", "Mars")`: `is not a known time zone`,
		`intimezone("now", "UTC")`:                   `is not an RFC 3339 time`,
		`parsetime("YYYYMMDD", "x")`:                 `no time of the layout`,
		`cidrhost("10.0.0.0/30", 4)`:                 `has only 4 addresses`,
		`cidrsubnet("10.0.0.0/30", 8, 0)`:            `cannot be extended`,
		`one(["a", "b"])`:                            `at most one element`,
		`sum([])`:                                    `the list is empty`,
		`coalesce("", null)`:                         `neither null nor empty`,
		`base64decode("***")`:                        `not base64`,
		`replace("x", "/[/", "")`:                    `missing closing ]`,
		`tonumber("x")`:                              `a number is required`,
		`lookup({ a = 1 }, "b")`:                     `b`,
	} {
		if _, err := at(t, src); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", src, err, want)
		}
	}
}

func TestSensitiveValuesKeepTheirMark(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]bool{
		`upper(sensitive("x"))`: true, `"a-${var.secret}"`: true, `jsonencode({ a = var.secret })`: true, `md5(var.secret)`: true,
		`replace(var.secret, "x", "y")`: true, `nonsensitive(var.secret)`: false, `length(var.secret)`: true,
		`coalesce(var.secret, "x")`: true, `lookup({ a = var.secret }, "a")`: true, `regex(".", var.secret)`: true,
		`try(var.secret, "x")`: true, `timeadd(sensitive("2026-11-22T00:00:00Z"), "1h")`: true, `sum([sensitive(1)])`: true,
	} {
		v, diags := parse(t, src).Value(testContext())
		if diags.HasErrors() || v.HasMark(Sensitive) != want && v.ContainsMarked() != want {
			t.Errorf("%s: marked %v, want %v (%v)", src, v.HasMark(Sensitive), want, diags)
		}
	}
}
