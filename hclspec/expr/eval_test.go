package expr

import (
	"errors"
	"testing"
)

func sampleEvent() *fakeEvent {
	return newEvent("20261122173922,B0042,x y,,é", map[string]string{
		"speed": "130", "car": "B2", "kind": "status", "empty": "", "flag": "true", "a.b": "dotted", "time": "20261122173922",
		"json": `{"a":{"b":[1,"two",true,null,2.5]},"s":"q\"\u00e9\ud83d\ude00","a2":1e3}`, "neg": "-7", "mixed": "ÄBc", "frac": "2.5",
		"b64": "AP8=", "zoned": "2026-11-22T23:30:00.5-05:00", "bad": "\xff\xfe", "pat": "a/b/c",
	})
}

func TestPrograms(t *testing.T) {
	t.Parallel()
	for src, want := range programResults() {
		t.Run(src, func(t *testing.T) {
			t.Parallel()
			got, err := program(t, src, TypeAny).Bytes(sampleEvent(), new(Scratch))
			if err != nil {
				got = []byte("error: " + err.Error())
			}
			if string(got) != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func programResults() map[string]string {
	return map[string]string{
		// paths
		`event.body`:              "20261122173922,B0042,x y,,é",
		`event.time`:              "2026-11-22T17:39:22.123456789Z",
		`event.headers.car`:       "B2",
		`event.headers["a.b"]`:    "dotted",
		`event["headers"]["car"]`: "B2",
		`event.headers[event.headers.kind == "status" ? "car" : "x"]`: "B2",
		`event.headers.none`:    `error: the event has no header "none"`,
		`event.headers.bad`:     "\xff\xfe",
		`event.meta.file`:       "/var/log/x.log",
		`event.meta.offset + 1`: "4712",
		`event.meta.partition`:  "error: the event has no meta.partition",
		// operators
		`event.headers.speed > 120`:                                    "true",
		`event.headers.speed > var.limit && event.headers.car != "A1"`: "true",
		`event.headers.speed * 2 - 1`:                                  "259",
		`event.headers.speed / 0`:                                      "error: division by zero",
		`event.headers.speed % 7`:                                      "4",
		`event.headers.neg % 4`:                                        "-3",
		`-event.headers.speed`:                                         "-130",
		`event.headers.car > 5`:                                        "error: the text is not a number",
		`!event.headers.flag`:                                          "false",
		`event.headers.none == "x" || event.headers.car == "B2"`:       "true",
		`event.headers.none == "x" && event.headers.car == "A1"`:       "false",
		`event.headers.none == "x" || event.headers.car == "A1"`:       `error: the event has no header "none"`,
		`event.headers.frac * 2`:                                       "5",
		`event.headers.speed / 3`:                                      "43.333333333333336",
		`1e15 * event.headers.speed`:                                   "130000000000000000",
		`event.headers.car == event.headers.car`:                       "true",
		`(event.headers.speed + 1) * 2`:                                "262",
		`event.headers.flag ? event.headers.car : "none"`:              "B2",
		`event.headers.flag ? event.headers.car : 5`:                   "B2",
		`event.headers.car == "B2" ? 1 : 2`:                            "1",
		`event.headers.none != "" ? 1 : 2`:                             `error: the event has no header "none"`,
		// templates
		`"a/${event.headers.kind}/${var.limit}/b"`:                "a/status/120/b",
		`"${event.headers.speed > 1}-${event.meta.offset}"`:       "true-4711",
		`"%{if event.headers.car == "B2"}bus%{else}car%{endif}!"`: "bus!",
		`"%{for x in split(",", event.body)}<${x}>%{endfor}"`:     "<20261122173922><B0042><x y><><é>",
		`"x${event.headers.none}"`:                                `error: the event has no header "none"`,
		"<<EOT\nline $${x} ${event.headers.car}\nEOT\n":           "line ${x} B2\n",
		// can and try
		`can(regex("^\\d{14}", event.body))`:           "true",
		`can(regex("^\\d{15}", event.body))`:           "false",
		`can(event.headers.none)`:                      "false",
		`can(tonumber(event.headers.car))`:             "false",
		`try(event.headers.none, event.headers.car)`:   "B2",
		`try(event.headers.none, "default")`:           "default",
		`try(tonumber(event.headers.car), 0) + 1`:      "1",
		`try(event.headers.none, event.headers.none2)`: `error: the event has no header "none2"`,
		// regex
		`regex("B\\d+", event.body)`:                                     "B0042",
		`regex("B(\\d)(\\d)", event.body)[1]`:                            "0",
		`regex("(?P<letter>[A-Z])(?P<num>\\d+)", event.body).num`:        "0042",
		`regex("(B)|(zzz)", event.body)[1]`:                              "error: the value is null",
		`regex("(B)|(zzz)", event.body)[1] == null`:                      "true",
		`regex("nope", event.body)`:                                      `error: the pattern "nope" does not match`,
		`length(regexall("\\d\\d", event.headers.time))`:                 "7",
		`regexall("(\\d)(\\d)", event.headers.speed)[0][1]`:              "3",
		`regexreplace(event.headers.time, "(\\d{4})(\\d\\d)", "$2.$1:")`: "11.2026:39.2217:22",
		// text
		`upper(event.headers.mixed)`:                                                      "ÄBC",
		`lower(event.headers.car)`:                                                        "b2",
		`title(event.headers.kind)`:                                                       "Status",
		`trim(event.headers.speed, "10")`:                                                 "3",
		`trimspace("  ${event.headers.car} ")`:                                            "B2",
		`trimprefix(event.headers.time, "2026")`:                                          "1122173922",
		`trimsuffix(event.headers.time, "22")`:                                            "202611221739",
		`replace(event.headers.pat, "/", "_")`:                                            "a_b_c",
		`replace(event.headers.pat, "/[a-b]/", "x")`:                                      "x/x/c",
		`replace(event.headers.car, "", "-")`:                                             "-B-2-",
		`substr(event.headers.time, 0, 8)`:                                                "20261122",
		`substr(event.headers.mixed, -2, -1)`:                                             "Bc",
		`strlen(event.body)`:                                                              "27",
		`length(event.headers.mixed)`:                                                     "3",
		`startswith(event.body, "2026")`:                                                  "true",
		`endswith(event.body, "2026")`:                                                    "false",
		`strcontains(event.body, event.headers.time)`:                                     "true",
		`split(",", event.body)[1]`:                                                       "B0042",
		`split(",", event.body)[7]`:                                                       "error: the list has no element with this index",
		`element(split(",", event.body), 6)`:                                              "B0042",
		`length(split("", event.headers.car))`:                                            "2",
		`split(",", event.body)[event.headers.speed - 129]`:                               "B0042",
		`join("+", split("/", event.headers.pat))`:                                        "a+b+c",
		`join("+", ["x"], split("/", event.headers.pat))`:                                 "x+a+b+c",
		`join(",", [for i, x in split("/", event.headers.pat) : "${i}${x}" if x != "b"])`: "0a,2c",
		`join(",", split("/", event.headers.pat)[*])`:                                     "a,b,c",
		`jsonencode({for x in split("/", event.headers.pat) : x => upper(x)})`:            `{"a":"A","b":"B","c":"C"}`,
		`format("%s|%05d|%.2f|%v|%%", event.headers.car, event.headers.speed, event.headers.frac, event.headers.kind)`: "B2|00130|2.50|status|%",
		`format("%-6s|", event.headers.car)`: "B2    |",
		`format("%d", event.headers.frac)`:   "error: a whole number is required by %d",
		`format("%04d", event.headers.neg)`:  "-007",
		`chomp("${event.headers.car}\r\n")`:  "B2",
		`strrev(event.headers.time)`:         "22937122116202",
		`urlencode(event.headers.pat)`:       "a%2Fb%2Fc",
		// collections
		`contains(var.cars, event.headers.car)`:                         "true",
		`contains(["x"], event.headers.car)`:                            "false",
		`contains([120, 130], tonumber(event.headers.speed))`:           "true",
		`contains(split("/", event.headers.pat), "b")`:                  "true",
		`lookup(var.by_car, event.headers.car, "none")`:                 "bus",
		`lookup(var.by_car, event.headers.kind, "none")`:                "none",
		`lookup(event.headers, "none", "dflt")`:                         "dflt",
		`lookup(event.headers, "car", "dflt")`:                          "B2",
		`var.by_car[event.headers.car]`:                                 "bus",
		`{ B2 = 1, x = "y" }[event.headers.car]`:                        "1",
		`["a", "b"][event.headers.speed - 129]`:                         "b",
		`coalesce(event.headers.empty, event.headers.car)`:              "B2",
		`length(keys(event.headers)) > 5`:                               "true",
		`sort(split("/", event.headers.pat))[0]`:                        "a",
		`one([for x in split("/", event.headers.pat) : x if x == "b"])`: "b",
		`sum([event.headers.speed, 1])`:                                 "131",
		// numbers
		`tonumber(event.headers.speed) == 130`:                  "true",
		`tostring(event.meta.offset) == "4711"`:                 "true",
		`tobool(event.headers.flag)`:                            "true",
		`tobool(event.headers.car)`:                             `error: the text is neither "true" nor "false"`,
		`min(event.headers.speed, 10, var.limit)`:               "10",
		`max(event.headers.neg, -9)`:                            "-7",
		`abs(event.headers.neg)`:                                "7",
		`floor(event.headers.frac) + ceil(event.headers.frac)`:  "5",
		`signum(event.headers.neg)`:                             "-1",
		`pow(2, event.headers.neg)`:                             "0.0078125",
		`parseint("ff", 16) + parseint(event.headers.speed, 8)`: "343",
		`duration("10m", "ms") + event.meta.offset`:             "604711",
		`size("1KiB") + event.meta.offset`:                      "5735",
		// time
		`formatdate("YYYYMMDD", event.time)`:                                     "20261122",
		`formatdate("EEE, DD MMM YY hh:mm:ss ZZZ", event.time)`:                  "Sun, 22 Nov 26 17:39:22 UTC",
		`formatdate("YYYY-MM-DD'T'hh:mm:ssZ", intimezone(event.time, var.zone))`: "2026-11-23T02:39:22+09:00",
		`formatdate("H:mm aa ZZZZ", event.headers.zoned)`:                        "11:30 pm -0500",
		`timeadd(event.time, "24h")`:                                             "2026-11-23T17:39:22.123456789Z",
		`timeadd(event.headers.zoned, "-90m")`:                                   "2026-11-22T22:00:00.500000000-05:00",
		`timecmp(event.time, event.headers.zoned)`:                               "-1",
		`parsetime("YYYYMMDDhhmmss", event.headers.time)`:                        "2026-11-22T17:39:22Z",
		`parsetime("YYYYMMDDhhmmss", substr(event.body, 0, 14), var.zone)`:       "2026-11-22T17:39:22+09:00",
		`parsetime("YYYY", event.headers.car)`:                                   `error: the text is no time of the layout "YYYY"`,
		`formatdate("YYYY", event.headers.car)`:                                  "error: the text is not an RFC 3339 time",
		// json
		`jsondecode(event.headers.json).a.b[1]`:        "two",
		`jsondecode(event.headers.json).a.b[4] * 2`:    "5",
		`jsondecode(event.headers.json).a.b[3]`:        "error: the value is null",
		`jsondecode(event.headers.json).s`:             "q\"é😀",
		`jsondecode(event.headers.json).a2`:            "1000",
		`jsondecode(event.headers.json).none`:          `error: there is no attribute "none"`,
		`jsondecode(event.body).x`:                     "error: the text is not valid JSON",
		`try(jsondecode(event.body).x, "-")`:           "-",
		`length(jsondecode(event.headers.json).a.b)`:   "5",
		`jsonencode(jsondecode(event.headers.json).a)`: `{"b":[1,"two",true,null,2.5]}`,
		`jsonencode({ car = event.headers.car, n = tonumber(event.headers.speed), l = [event.headers.flag == "true"] })`: `{"car":"B2","l":[true],"n":130}`,
		`jsonencode("<${event.headers.bad}>")`:                                 "\"\\u003c\\ufffd\\ufffd\\u003e\"",
		`jsondecode(event.headers.json).a == jsondecode(event.headers.json).a`: "true",
		`jsondecode(event.headers.json).a2 == 1000`:                            "true",
		// bytes
		`base64decode(event.headers.b64)`:                                     "\x00\xff",
		`base64encode(event.headers.bad)`:                                     "//4=",
		`base64decode(event.headers.car)`:                                     "error: the text is not base64",
		`md5(event.headers.car)`:                                              "bbd97b00c539801e32317ab550867ec4",
		`substr(sha256(event.headers.car), 0, 8)`:                             "abdbc2b5",
		`length(sha512(event.headers.car)) + length(sha1(event.headers.car))`: "168",
	}
}

func TestResultTypes(t *testing.T) {
	t.Parallel()
	ev, s := sampleEvent(), new(Scratch)
	if b, err := program(t, `event.headers.flag`, TypeBool).Bool(ev, s); err != nil || !b {
		t.Error("a header that says true is a condition:", b, err)
	}
	if n, err := program(t, `event.headers.speed`, TypeNumber).Number(ev, s); err != nil || n != 130 {
		t.Error("a header that holds digits is a number:", n, err)
	}
	p := program(t, `timeadd(event.time, "1ms")`, TypeString)
	if ns, err := p.Time(ev, s); err != nil || ns != ev.time+1e6 {
		t.Error("a time has its nanoseconds:", ns, err)
	}
	if ns, err := program(t, `event.headers.zoned`, TypeString).Time(ev, s); err != nil || ns != 1795408200500000000 {
		t.Error("a text is read as a time:", ns, err)
	}
	_, err := program(t, `event.headers.none`, TypeString).Bytes(ev, s)
	var ee *EventError
	if !errors.As(err, &ee) || ee.Header != "none" {
		t.Errorf("got %v, want an event error that names the header", err)
	}
	if _, err := program(t, `event.headers.car`, TypeString).Time(ev, s); err == nil {
		t.Error("B2 is no time")
	}
}

func TestBodyIsNotCopied(t *testing.T) {
	t.Parallel()
	ev := sampleEvent()
	for _, src := range []string{`event.body`, `"${event.body}"`, `trimspace(event.body)`, `replace(event.body, "nothing", "x")`, `try(event.body, "")`} {
		b, err := program(t, src, TypeString).Bytes(ev, new(Scratch))
		if err != nil || &b[0] != &ev.body[0] || len(b) != len(ev.body) {
			t.Errorf("%s: the body is copied (%v)", src, err)
		}
	}
}

func TestPartsOfATemplate(t *testing.T) {
	t.Parallel()
	p := program(t, `"file:///data/${var.limit}/${event.headers.kind}/${"x"}y=${formatdate("YYYYMMDD", event.time)}"`, TypeString)
	var got string
	for _, part := range p.Parts() {
		if part.Program == nil {
			got += "[" + part.Literal + "]"
			continue
		}
		b, err := part.Program.Bytes(sampleEvent(), new(Scratch))
		if err != nil {
			t.Fatal(err)
		}
		got += "<" + string(b) + ">"
	}
	if want := "[file:///data/120/]<status>[/xy=]<20261122>"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if parts := program(t, `event.body`, TypeString).Parts(); len(parts) != 1 || parts[0].Program == nil {
		t.Error("a plain expression is one part")
	}
}

func TestScratchIsReusedAfterReset(t *testing.T) {
	t.Parallel()
	p := program(t, `upper("${event.headers.kind}-${event.headers.car}")`, TypeString)
	s := new(Scratch)
	first, _ := p.Bytes(sampleEvent(), s)
	second, _ := p.Bytes(newEvent("", map[string]string{"kind": "other", "car": "C3"}), s)
	if string(first) != "STATUS-B2" || string(second) != "OTHER-C3" {
		t.Errorf("results of one event overwrite each other: %q %q", first, second)
	}
	for range 1000 {
		s.Reset()
		if _, err := p.Bytes(sampleEvent(), s); err != nil {
			t.Fatal(err)
		}
	}
	if cap(s.Buf) > 4096 {
		t.Errorf("the scratch memory grew to %d bytes", cap(s.Buf))
	}
}

func TestChangedMemoryIsCheckedAgain(t *testing.T) {
	t.Parallel()
	p, s, ev := program(t, `jsondecode(event.body).a`, TypeString), new(Scratch), newEvent(`{"a":"x"}`, nil)
	if b, err := p.Bytes(ev, s); err != nil || string(b) != "x" {
		t.Fatal(string(b), err)
	}
	for _, bad := range []string{`{"a":"\\"`, `"""""""""`, `{"a":"x",`} {
		copy(ev.body, bad+"         ")
		if _, err := p.Bytes(ev, s); err == nil {
			t.Errorf("%s in the same memory counts as valid", bad)
		}
	}
}
