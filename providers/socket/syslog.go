package socket

import (
	"strconv"
	"time"

	"collect/runtime/flow"
)

// appendFramed appends an event as RFC 5424 with its length in front (RFC 6587), so that a newline in a body does no harm.
func appendFramed(dst []byte, b *flow.Batch, i int, host string) []byte {
	const room = 8 // for the length
	start := len(dst)
	dst = append(dst, "        "...)
	dst = appendSyslog(dst, b, i, host)
	var length [room + 1]byte
	l := append(strconv.AppendInt(length[:0], int64(len(dst)-start-room), 10), ' ')
	copy(dst[start:], l)
	n := copy(dst[start+len(l):], dst[start+room:])
	return dst[:start+len(l)+n]
}

// appendSyslog appends <PRI>1 TIME HOST APP PROCID MSGID - BODY. The fields come from the event, so everything in them that could end a
// field or begin another message is replaced.
func appendSyslog(dst []byte, b *flow.Batch, i int, host string) []byte {
	facility, ok := level(b, i, "facility", facilities)
	if !ok {
		facility = 1 // user
	}
	severity, ok := level(b, i, "severity", severities)
	if !ok || severity > 7 {
		severity = 5 // notice
	}
	dst = append(dst, '<')
	dst = strconv.AppendInt(dst, int64(facility*8+severity), 10)
	dst = append(dst, ">1 "...)
	dst = time.Unix(0, b.Time(i)).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000Z")
	dst = append(dst, ' ')
	h, ok := b.Header(i, "host")
	if !ok {
		h = []byte(host)
	}
	dst = appendField(dst, h, 255)
	for _, f := range []struct {
		name string
		max  int
	}{{"app", 48}, {"procid", 128}, {"msgid", 32}} {
		v, _ := b.Header(i, f.name)
		dst = appendField(append(dst, ' '), v, f.max)
	}
	dst = append(dst, " - "...)
	return append(dst, b.Body(i)...)
}

// appendField appends a field of printable ASCII, "-" for none.
func appendField(dst, v []byte, max int) []byte {
	if len(v) == 0 {
		return append(dst, '-')
	}
	for _, c := range v[:min(len(v), max)] {
		if c <= ' ' || c >= 0x7f {
			c = '_'
		}
		dst = append(dst, c)
	}
	return dst
}

// level reads a number, or a name that stands for its place in names.
func level(b *flow.Batch, i int, header string, names func(string) (int, bool)) (int, bool) {
	v, ok := b.Header(i, header)
	if !ok || len(v) > 16 {
		return 0, false
	}
	if n, err := strconv.Atoi(string(v)); err == nil {
		return n, n >= 0 && n <= 23
	}
	return names(string(v))
}

func severities(name string) (int, bool) {
	switch name {
	case "emerg", "panic":
		return 0, true
	case "alert":
		return 1, true
	case "crit":
		return 2, true
	case "err", "error":
		return 3, true
	case "warning", "warn":
		return 4, true
	case "notice":
		return 5, true
	case "info":
		return 6, true
	case "debug":
		return 7, true
	}
	return 0, false
}

func facilities(name string) (int, bool) {
	for n, known := range [...]string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"} {
		if name == known {
			return n, true
		}
	}
	if len(name) == 6 && name[:5] == "local" && name[5] >= '0' && name[5] <= '7' {
		return 16 + int(name[5]-'0'), true
	}
	return 0, false
}
