package expr

import "fmt"

// maker writes an expression; every byte of the input is a choice.
type maker struct {
	in   []byte
	vars []string // variables of for expressions, which hold texts
}

func (m *maker) pick(n int) int {
	if len(m.in) == 0 {
		return 0
	}
	b := m.in[0]
	m.in = m.in[1:]
	return int(b) % n
}

func (m *maker) of(choices ...string) string { return choices[m.pick(len(choices))] }

func (m *maker) boolean(d int) string {
	if d <= 0 || len(m.in) == 0 {
		return m.of(`event.headers.a == "x"`, `can(event.headers.b)`, `event.headers.n > 5`, `startswith(event.body, "a")`, `tobool(event.headers.flag)`)
	}
	d--
	switch m.pick(15) {
	case 0:
		return fmt.Sprintf("(%s && %s)", m.boolean(d), m.boolean(d))
	case 1:
		return fmt.Sprintf("(%s || %s)", m.boolean(d), m.boolean(d))
	case 2:
		return "!" + m.boolean(d)
	case 3:
		return fmt.Sprintf("(%s %s %s)", m.number(d), m.of(">", ">=", "<", "<="), m.number(d))
	case 4:
		return fmt.Sprintf("(%s %s %s)", m.text(d), m.of("==", "!="), m.text(d))
	case 5:
		return fmt.Sprintf("(%s %s %s)", m.number(d), m.of("==", "!="), m.number(d))
	case 6:
		return fmt.Sprintf("%s(%s, %s)", m.of("startswith", "endswith", "strcontains"), m.text(d), m.text(d))
	case 7:
		return fmt.Sprintf("can(%s)", m.any(d))
	case 8:
		return fmt.Sprintf("contains(%s, %s)", m.list(d), m.text(d))
	case 9:
		return fmt.Sprintf("(%s ? %s : %s)", m.boolean(d), m.boolean(d), m.boolean(d))
	case 10:
		return fmt.Sprintf("try(%s, %s)", m.boolean(d), m.boolean(d))
	case 11:
		return fmt.Sprintf("tobool(%s)", m.text(d))
	case 12:
		return fmt.Sprintf("can(regex(%s, %s))", m.pattern(), m.text(d))
	case 13:
		return fmt.Sprintf("alltrue([%s, %s])", m.boolean(d), m.boolean(d))
	}
	return m.boolean(0)
}

func (m *maker) number(d int) string {
	if d <= 0 || len(m.in) == 0 {
		return m.of("1", "0", "7", "2.5", "event.headers.n", "tonumber(event.headers.m)", "event.meta.offset", "-3", "100")
	}
	d--
	switch m.pick(14) {
	case 0:
		return fmt.Sprintf("(%s %s %s)", m.number(d), m.of("+", "-", "*"), m.number(d))
	case 1:
		return fmt.Sprintf("%s(%s, %s)", m.of("min", "max"), m.number(d), m.number(d))
	case 2:
		return fmt.Sprintf("%s(%s)", m.of("abs", "floor", "ceil", "signum"), m.number(d))
	case 3:
		return fmt.Sprintf("length(%s)", m.of(m.text(d), m.list(d)))
	case 4:
		return fmt.Sprintf("strlen(%s)", m.text(d))
	case 5:
		return fmt.Sprintf("(%s ? %s : %s)", m.boolean(d), m.number(d), m.number(d))
	case 6:
		return fmt.Sprintf("try(%s, %s)", m.number(d), m.number(d))
	case 7:
		return fmt.Sprintf("-%s", m.number(d))
	case 8:
		return fmt.Sprintf("parseint(substr(%s, 0, 7), %s)", m.text(d), m.of("10", "16", "2", "36"))
	case 9:
		return fmt.Sprintf("timecmp(%s, %s)", m.time(d), m.time(d))
	case 10:
		return fmt.Sprintf("tonumber(%s)", m.text(d))
	case 11:
		return fmt.Sprintf("(%s %% 7)", m.number(d))
	case 12:
		return fmt.Sprintf("index(%s, %s)", m.list(d), m.text(d))
	}
	return m.number(0)
}

func (m *maker) text(d int) string {
	if d <= 0 || len(m.in) == 0 {
		choices := []string{`event.body`, `event.headers.a`, `event.headers.b`, `"x"`, `"a,b"`, `event.headers.n`, `event.headers.flag`, `""`, `event.meta.file`, `event.headers.u`}
		if n := len(m.vars); n > 0 {
			choices = append(choices, m.vars[n-1], m.vars[n-1])
		}
		return m.of(choices...)
	}
	d--
	switch m.pick(38) {
	case 0:
		return fmt.Sprintf("%s(%s)", m.of("upper", "lower", "trimspace", "chomp", "title", "strrev"), m.text(d))
	case 1:
		return fmt.Sprintf("%s(%s, %s)", m.of("trim", "trimprefix", "trimsuffix"), m.text(d), m.text(d))
	case 2:
		return fmt.Sprintf("replace(%s, %s, %s)", m.text(d), m.of(`"a"`, `","`, `"/[a-c]+/"`, `""`), m.text(d))
	case 3:
		return fmt.Sprintf("substr(%s, %s, %s)", m.text(d), m.of("0", "1", "3", "-2"), m.of("0", "2", "-1", "5"))
	case 4:
		return fmt.Sprintf("%s[%s]", m.list(d), m.of("0", "1", "2", "event.headers.i", "event.headers.n"))
	case 5:
		return fmt.Sprintf("element(%s, %s)", m.list(d), m.of("0", "1", "5", "event.headers.n"))
	case 6:
		return fmt.Sprintf("join(%s, %s)", m.text(d), m.list(d))
	case 7:
		return fmt.Sprintf(`"<${%s}|${%s}>"`, m.text(d), m.whole(d))
	case 8:
		return fmt.Sprintf(`format("%s", %s, %s)`, m.of("%s-%d", "%v/%05d", "%s %3d%%", "%q %d", "%5s|%x"), m.text(d), m.whole(d))
	case 9:
		return fmt.Sprintf("(%s ? %s : %s)", m.boolean(d), m.text(d), m.text(d))
	case 10:
		return fmt.Sprintf("try(%s, %s)", m.text(d), m.text(d))
	case 11:
		return fmt.Sprintf("coalesce(%s, %s)", m.text(d), m.of(`"x"`, `event.body`))
	case 12:
		return fmt.Sprintf(`lookup({ x = "one", b = "two" }, %s, %s)`, m.text(d), m.of(`"x"`, `event.body`))
	case 13:
		return fmt.Sprintf("lookup(event.headers, %s, %s)", m.of(`"a"`, `"none"`, `event.headers.a`), m.of(`"x"`, `event.body`))
	case 14:
		return fmt.Sprintf("regex(%s, %s)", m.of(`"[a-z]+"`, `"\\d+"`, `"^x"`, `"é"`), m.text(d))
	case 15:
		return fmt.Sprintf(`regex("([a-z]+)(\\d*)", %s)[%s]`, m.text(d), m.of("0", "1"))
	case 16:
		return fmt.Sprintf(`regex("(?P<l>[a-z]+),(?P<r>.*)", %s).%s`, m.text(d), m.of("l", "r"))
	case 17:
		return fmt.Sprintf("%s(%s)", m.of("md5", "sha1", "sha256", "sha512", "base64encode", "urlencode", "jsonencode"), m.text(d))
	case 18:
		return fmt.Sprintf("base64decode(base64encode(%s))", m.text(d))
	case 19:
		return m.time(d)
	case 20:
		return fmt.Sprintf("formatdate(%s, %s)", m.of(`"YYYYMMDD"`, `"EEEE D MMMM YY h:mm:ss AA Z"`, `"hh'h'mm ZZZZ"`, `"MMM EEE HH aa ZZZ ZZZZZ"`), m.time(d))
	case 21:
		return fmt.Sprintf("tostring(%s)", m.of(m.whole(d), m.boolean(d)))
	case 22:
		return fmt.Sprintf("jsonencode({ a = %s, b = [%s, %s] })", m.text(d), m.whole(d), m.boolean(d))
	case 23:
		return fmt.Sprintf(`"%%{if %s}yes%%{else}${%s}%%{endif}"`, m.boolean(d), m.text(d))
	case 25:
		return m.loop(d, `"%%{for %[1]s in %[2]s}${%[1]s}:${%[3]s}%%{endfor}"`)
	case 26:
		return m.loop(d, `"%%{for %[1]s in %[2]s ~}\n  ${%[3]s}\n%%{~endfor}"`)
	case 27:
		return fmt.Sprintf(`join("-", %s[*])`, m.list(d))
	case 28:
		return fmt.Sprintf("(%s ? %s : %s)", m.boolean(d), m.whole(d), m.of("event.body", `"x"`, "event.meta.file")) // of two types the one that fits both
	case 29:
		return fmt.Sprintf("(%s ? %s : %s)", m.boolean(d), m.of("event.body", `"x"`, "event.meta.file"), m.boolean(d))
	case 30:
		return fmt.Sprintf("event.headers[%s]", m.text(d))
	case 31:
		return fmt.Sprintf(`{ a = %s, b = %s }[%s]`, m.text(d), m.text(d), m.of(`"a"`, `"b"`, "event.headers.a"))
	case 32:
		return fmt.Sprintf(`merge({ a = %s, c = "c" }, { a = %s }).%s`, m.text(d), m.text(d), m.of("a", "c"))
	case 33:
		return fmt.Sprintf(`jsondecode(jsonencode({ a = %s, b = [%s] })).%s`, m.text(d), m.text(d), m.of("a", "b[0]"))
	case 34:
		return fmt.Sprintf("try(can(%s) ? %s : %s, %s)", m.text(d), m.text(d), m.text(d), m.text(d))
	case 35:
		return fmt.Sprintf(`[for o in [{ k = %s }, { k = %s }] : o.k][%s]`, m.text(d), m.text(d), m.of("0", "1"))
	case 36:
		return fmt.Sprintf(`join(",", [{ k = %s }, { k = %s }][*].k)`, m.text(d), m.text(d))
	case 24:
		return fmt.Sprintf("regexreplace(%s, %s, %s)", m.text(d), m.pattern(), m.of(`"$1"`, `"-"`, `event.headers.a`))
	}
	return m.text(0)
}

// loop writes a template with a loop: its variable, its list, and a text in which the variable is known.
func (m *maker) loop(d int, form string) string {
	coll := m.list(d)
	name := fmt.Sprintf("v%d", len(m.vars))
	m.vars = append(m.vars, name)
	defer func() { m.vars = m.vars[:len(m.vars)-1] }()
	return fmt.Sprintf(form, name, coll, m.text(d))
}

func (m *maker) pattern() string {
	return m.of(`"^\\d{14}"`, `"x|y"`, `"([a-z]+),"`, `"^[^,]*,(.*)$"`, `"a(WARN|ERROR)"`, `"é+"`)
}

// whole gives numbers whose text is the same in both worlds.
func (m *maker) whole(d int) string {
	return m.of("7", "event.meta.offset", fmt.Sprintf("length(%s)", m.text(d-1)), fmt.Sprintf("floor(%s)", m.of("2.5", "-0.5", "event.headers.n")))
}

func (m *maker) time(d int) string {
	if d <= 0 {
		return m.of("event.time", "event.headers.t", `"2024-02-29T23:59:59+05:30"`)
	}
	d--
	switch m.pick(4) {
	case 0:
		return fmt.Sprintf("timeadd(%s, %s)", m.time(d), m.of(`"90s"`, `"-36h"`, `"1500ms"`))
	case 1:
		return fmt.Sprintf("intimezone(%s, %s)", m.time(d), m.of(`"Asia/Seoul"`, `"America/New_York"`, `"UTC"`))
	case 2:
		return fmt.Sprintf(`parsetime("YYYYMMDDhhmmss", %s%s)`, m.of("event.headers.d", "event.body"), m.of("", `, "Europe/Berlin"`))
	}
	return m.time(0)
}

func (m *maker) list(d int) string {
	if d <= 0 || len(m.in) == 0 {
		return m.of(`split(",", event.body)`, `["x", "b"]`, `split("", event.headers.a)`)
	}
	d--
	switch m.pick(15) {
	case 8:
		return fmt.Sprintf("distinct(%s)", m.list(d))
	case 9:
		return fmt.Sprintf("compact(%s)", m.list(d))
	case 10:
		return fmt.Sprintf("flatten([%s, [%s], %s])", m.list(d), m.list(d), m.text(d))
	case 11:
		return fmt.Sprintf("slice(%s, 0, %s)", m.list(d), m.of("0", "1", "2"))
	case 12:
		return fmt.Sprintf("(%s ? %s : %s)", m.boolean(d), m.list(d), m.list(d))
	case 13:
		return fmt.Sprintf("regexall(%s, %s)", m.of(`"[a-z]"`, `"\\d+"`), m.text(d))
	case 0:
		return fmt.Sprintf("split(%s, %s)", m.of(`","`, `"a"`, `""`), m.text(d))
	case 1:
		return fmt.Sprintf("[%s, %s]", m.text(d), m.text(d))
	case 2, 3:
		coll := m.list(d)
		name := fmt.Sprintf("v%d", len(m.vars))
		m.vars = append(m.vars, name)
		// HCL evaluates the condition once more on an unknown element, so one that fails fails even for an empty list.
		out := fmt.Sprintf("[for %s in %s : %s if %s]", name, coll, m.text(d), m.of("can("+m.text(d)+")", "strlen("+name+") > 1", name+` != "b"`))
		m.vars = m.vars[:len(m.vars)-1]
		return out
	case 4:
		return fmt.Sprintf("sort(%s)", m.list(d))
	case 5:
		return fmt.Sprintf("reverse(%s)", m.list(d))
	case 6:
		return fmt.Sprintf("keys({ for k, v in event.headers : k => v if v != %s })", m.text(d))
	case 7:
		return fmt.Sprintf("concat(%s, %s)", m.list(d), m.list(d))
	}
	return m.list(0)
}

func (m *maker) any(d int) string {
	switch m.pick(4) {
	case 0:
		return m.boolean(d)
	case 1:
		return m.number(d)
	case 2:
		return m.list(d)
	}
	return m.text(d)
}

func (m *maker) event() *fakeEvent {
	bodies := []string{"", "a,b,c", "20261122173922,B0042", "x", "  Hello World  ", "é日本,ß", "abc123", "12.5", "a\r\nb\n"}
	ev := newEvent(bodies[m.pick(len(bodies))], nil)
	ev.time = []int64{1795369162123456789, 0, -1, 1709251199000000000, 1e18}[m.pick(5)]
	for name, values := range map[string][]string{
		"a": {"x", "a", "", "b,c"}, "b": {"b", "X", "ab1"}, "n": {"5", "12", "-3", "2.5", "zz", "0"}, "m": {"1", "1e3", "0.25", "x"},
		"flag": {"true", "false", "1", "no"}, "i": {"0", "1", "x"}, "u": {"naïve", "ÄÖ", "e"}, "d": {"20260101000000", "2026"},
		"t": {"2026-11-22T23:30:00.5-05:00", "2026-01-01T00:00:00Z", "today"},
	} {
		// Names are visited in any order, so the choice comes from the name and one byte.
		if i := (int(name[0]) + len(m.in)) % (len(values) + 1); i < len(values) {
			ev.headers[name] = []byte(values[i])
		}
	}
	return ev
}
