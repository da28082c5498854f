package hclspec

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// TestFunctionsAreTerraforms holds what functions give at the edges: the values are those that Terraform documents or gives.
func TestFunctionsAreTerraforms(t *testing.T) {
	t.Parallel()
	cases := []struct{ expr, want string }{
		{`element(["a", "b", "c"], 3)`, `"a"`},
		{`element(["a", "b", "c"], -1)`, `"c"`},
		{`element([], 0)`, `error`},
		{`slice(["a", "b", "c"], 1, 1)`, `[]`},
		{`slice(["a", "b", "c"], 1, 4)`, `error`},
		{`slice(["a"], -1, 1)`, `error`},
		{`substr("hello", -3, -1)`, `"llo"`},
		{`substr("hello", 1, 2)`, `"el"`},
		{`substr("hello", 10, 2)`, `""`},
		{`substr("안녕하세요", 1, 2)`, `"녕하"`},
		{`strlen("👨‍👩‍👧")`, `1`},
		{`strrev("añb")`, `"bña"`},
		{`title("hello world")`, `"Hello World"`},
		{`split(",", "")`, `[""]`},
		{`split("", "abc")`, `["a","b","c"]`},
		{`join(",", [])`, `""`},
		{`join(",", [null])`, `error`},
		{`compact(["a", "", "b", null])`, `["a","b"]`},
		{`coalesce("", null, "x")`, `"x"`},
		{`coalesce(null, null)`, `error`},
		{`coalesce(1, "a")`, `"1"`},
		{`chomp("a\r\n\n")`, `"a"`},
		{`trim("?!hello?!", "!?")`, `"hello"`},
		{`trimprefix("helloworld", "world")`, `"helloworld"`},
		{`indent(2, "a\nb")`, `"a\n  b"`},
		{`replace("1 + 2 + 3", "+", "-")`, `"1 - 2 - 3"`},
		{`replace("hello world", "/w.*d/", "everybody")`, `"hello everybody"`},
		{`replace("ab", "/(a)(b)/", "$2$1")`, `"ba"`},
		{`regex("[a-z]+", "53453453.345345aaabbbccc23454")`, `"aaabbbccc"`},
		{`regex("(\\d\\d\\d\\d)-(\\d\\d)", "2019-02-01")`, `["2019","02"]`},
		{`regex("^(?:(?P<scheme>[^:/?#]+):)?", "https://x")`, `{"scheme":"https"}`},
		{`regex("(?P<a>x)?(?P<b>y)", "y")`, `{"a":null,"b":"y"}`},
		{`regexall("[a-z]+", "1234")`, `[]`},
		{`regexall("([a-z])(\\d)", "a1b2")`, `[["a","1"],["b","2"]]`},
		{`can(regex("x", "y"))`, `false`},
		{`format("%s %5.1f %03d %t %q %v %%", "a", 1.25, 7, true, "b", [1])`, `"a   1.2 007 true \"b\" [1] %"`},
		{`format("%v", null)`, `"null"`},
		{`formatlist("%s-%d", ["a", "b"], [1, 2])`, `["a-1","b-2"]`},
		{`formatlist("%s-%d", ["a", "b"], [1])`, `error`},
		{`contains(["a"], "a")`, `true`},
		{`index(["a", "b"], "b")`, `1`},
		{`index([1, "2"], 2)`, `1`},
		{`index(["a"], "b")`, `error`},
		{`index([], "b")`, `error`},
		{`index({ a = 1 }, 1)`, `error`},
		{`keys({ b = 1, a = 2 })`, `["a","b"]`},
		{`values({ b = 1, a = 2 })`, `[2,1]`},
		{`lookup({ a = 1 }, "b", 2)`, `2`},
		{`merge({ a = 1 }, null, { a = 2, b = 3 })`, `{"a":2,"b":3}`},
		{`merge()`, `{}`},
		{`flatten([["a", []], [["b"]], "c"])`, `["a","b","c"]`},
		{`distinct(["b", "a", "b"])`, `["b","a"]`},
		{`reverse([1, 2])`, `[2,1]`},
		{`sort(["b", "B", "a"])`, `["B","a","b"]`},
		{`setproduct(["a"], [1, 2])`, `[["a",1],["a",2]]`},
		{`setsubtract(["a", "b"], ["b"])`, `["a"]`},
		{`range(3)`, `[0,1,2]`},
		{`range(1, 4, 2)`, `[1,3]`},
		{`range(2, 0, -1)`, `[2,1]`},
		{`range(1, 0, 1)`, `error`},
		{`one([])`, `null`},
		{`sum([1, 2.5])`, `3.5`},
		{`alltrue([])`, `true`},
		{`anytrue([])`, `false`},
		{`max([1, 3]...)`, `3`},
		{`ceil(-1.5)`, `-1`},
		{`floor(-1.5)`, `-2`},
		{`signum(-2)`, `-1`},
		{`log(8, 2)`, `3`},
		{`pow(2, -1)`, `0.5`},
		{`parseint("FF", 16)`, `255`},
		{`parseint("12", 2)`, `error`},
		{`tonumber("0x10")`, `error`},
		{`tobool("yes")`, `error`},
		{`tostring(1.0)`, `"1"`},
		{`tostring(true)`, `"true"`},
		{`tonumber(null)`, `null`},
		{`toset(["b", "a", "b"])`, `["a","b"]`},
		{`tolist(["a", 1])`, `["a","1"]`},
		{`zipmap(["a", "b"], [1, "x"])`, `{"a":1,"b":"x"}`},
		{`jsonencode({ a = [1, null, "<&>"] })`, `"{\"a\":[1,null,\"\\u003c\\u0026\\u003e\"]}"`},
		{`jsondecode("{\"a\": 1e2}").a`, `100`},
		{`yamldecode("a: [1, yes, ~, 012]").a`, `[1,true,null,12]`},
		{`csvdecode("a,b\n1,2\n3,4")[1].b`, `"4"`},
		{`base64encode("안")`, `"7JWI"`},
		{`base64decode("7JWI")`, `"안"`},
		{`urlencode("a b/c?")`, `"a+b%2Fc%3F"`},
		{`md5("a")`, `"0cc175b9c0f1b6a831c399e269772661"`},
		{`sha256("")`, `"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"`},
		{`formatdate("DD MMM YYYY hh:mm ZZZ", "2018-01-02T23:12:01Z")`, `"02 Jan 2018 23:12 UTC"`},
		{`formatdate("EEEE, DD-MMM-YY hh:mm:ss ZZZ", "2018-01-02T23:12:01-08:00")`, `"Tuesday, 02-Jan-18 23:12:01 -0800"`},
		{`formatdate("h'h'mm", "2018-01-02T23:12:01Z")`, `"23h12"`},
		{`formatdate("H AA", "2018-01-02T23:12:01Z")`, `"11 PM"`},
		{`formatdate("H aa", "2018-01-02T00:12:01Z")`, `"12 am"`},
		{`timeadd("2017-11-22T00:00:00Z", "10m")`, `"2017-11-22T00:10:00Z"`},
		{`timeadd("2017-11-22T00:00:00Z", "-1.5h")`, `"2017-11-21T22:30:00Z"`},
		{`timecmp("2017-11-22T00:00:00Z", "2017-11-22T01:00:00+01:00")`, `0`},
		{`cidrhost("10.12.112.0/20", 16)`, `"10.12.112.16"`},
		{`cidrhost("10.12.112.0/20", -1)`, `"10.12.127.255"`},
		{`cidrsubnet("172.16.0.0/12", 4, 2)`, `"172.18.0.0/16"`},
		{`basename("/a/b.txt")`, `"b.txt"`},
		{`dirname("/a/b.txt")`, `"/a"`},
		{`startswith("hello", "he")`, `true`},
		{`strcontains("hello", "ell")`, `true`},
		{`try(jsondecode("{"), "fallback")`, `"fallback"`},
		{`try(1, jsondecode("{"))`, `1`},
		{`transposed(1)`, `error`},
		// ours
		{`intimezone("2026-01-01T00:00:00Z", "Asia/Seoul")`, `"2026-01-01T09:00:00+09:00"`},
		{`parsetime("YYYYMMDDhhmmss", "20260101123456", "Asia/Seoul")`, `"2026-01-01T12:34:56+09:00"`},
		{`duration("10m", "ms")`, `600000`},
		{`duration("1.5s")`, `1.5`},
		{`size("64MiB")`, `67108864`},
		{`regexreplace("a1b2", "\\d", "($0)")`, `"a(1)b(2)"`},
	}
	var text strings.Builder
	for i, c := range cases {
		fmt.Fprintf(&text, "output \"o%03d\" { value = %s }\n", i, c.expr)
	}
	cfg, diags := load(t, text.String())
	got := map[string]string{}
	for _, o := range cfg.Outputs {
		raw, err := ctyjson.Marshal(o.Value, o.Value.Type())
		if err != nil {
			t.Fatal(err)
		}
		var plain any
		_ = json.Unmarshal(raw, &plain)
		got[o.Name] = string(raw)
	}
	failed := map[int]string{}
	for _, d := range diags {
		if d.Subject != nil {
			failed[d.Subject.Start.Line] = d.Detail
		}
	}
	for i, c := range cases {
		g, ok := got[fmt.Sprintf("o%03d", i)]
		if !ok {
			g = "error"
		}
		if g != c.want {
			t.Errorf("%s: got %s %s, want %s", c.expr, g, failed[i+1], c.want)
		}
	}
}
