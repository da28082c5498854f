package socket

import (
	"bufio"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

func TestSyslogMessagesAreFramedAndCannotBeForged(t *testing.T) {
	s := serve(t, "tcp").start()
	defer s.stop()
	cfg := config("tcp", s.addr)
	cfg.Format = "syslog"
	d := start(t, cfg)
	h := func(k, v string) flow.Header { return flow.Header{Name: k, Value: []byte(v)} }
	bodies := []string{"plain", "two\nlines\r\n<0>1 forged", "", strings.Repeat("x", 12_345)}
	d.Must(bodies, h("facility", "local0"), h("severity", "err"), h("host", "car\n7 evil"), h("app", "a b"))
	d.Close()
	providertest.Eventually(t, "everything arrives", func() bool { return len(s.text()) > 12_345+4*60 })
	r := bufio.NewReader(strings.NewReader(s.text()))
	form := regexp.MustCompile(`(?s)^<131>1 2026-01-01T00:00:00\.000000Z car_7_evil a_b - - - (.*)$`)
	for _, want := range bodies {
		length, err := r.ReadString(' ')
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.TrimSpace(length))
		if err != nil {
			t.Fatalf("length %q", length)
		}
		msg := make([]byte, n)
		if _, err := io.ReadFull(r, msg); err != nil {
			t.Fatal(err)
		}
		m := form.FindStringSubmatch(string(msg))
		if m == nil || m[1] != want {
			t.Errorf("message %.80q, want body %.40q", msg, want)
		}
	}
}

func TestFieldsOfSyslog(t *testing.T) {
	for name, tc := range map[string]struct{ facility, severity, want string }{
		"names":       {"auth", "debug", "<39>"},
		"numbers":     {"23", "0", "<184>"},
		"nonsense":    {"x", "99", "<13>"},
		"local":       {"local7", "warn", "<188>"},
		"out of line": {"-1", "8", "<13>"},
	} {
		b := providertest.SinkBatch(flow.NewPool(1<<20), 1, []string{"x"}, flow.Header{Name: "facility", Value: []byte(tc.facility)}, flow.Header{Name: "severity", Value: []byte(tc.severity)})
		if got := string(appendSyslog(nil, b, 0, "h")); !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s: %q, want %s", name, got, tc.want)
		}
	}
}
