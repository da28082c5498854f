package agent

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"collect/hclspec/schema"
	"collect/runtime/supervisor/api"
)

func TestTroubleIsWrittenDownOnceAndItsEndToo(t *testing.T) {
	var out strings.Builder
	h := newHealthLog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})))
	now := time.Unix(1000, 0)
	sink := func(health, why string) api.Component {
		return api.Component{Kind: schema.Sink, Type: "hdfs", Name: "h", Health: health, Why: why}
	}
	idle := api.Component{Kind: schema.Source, Type: "tail", Name: "t", Health: "waiting", Why: "no file matches include"}
	steps := []struct {
		what string
		c    []api.Component
		want string
	}{
		{"all is well", []api.Component{sink("ok", ""), idle}, ""},
		{"it begins", []api.Component{sink("waiting", "refused"), idle}, ""},
		{"it lasts", []api.Component{sink("retrying", "refused"), idle}, `level=WARN msg="in trouble" component="sink hdfs.h" health=retrying err=refused` + "\n"},
		{"it is known", []api.Component{sink("retrying", "no route"), idle}, ""},
		{"it ends", []api.Component{sink("ok", "")}, `level=INFO msg="well again" component="sink hdfs.h" after=15s` + "\n"},
		{"a short one", []api.Component{sink("retrying", "refused")}, ""},
		{"is nothing", []api.Component{sink("ok", "")}, ""},
		{"a full channel", []api.Component{{Kind: schema.Channel, Type: "disk", Name: "c", Health: "waiting", Why: "full"}}, ""},
		{"is no trouble", []api.Component{{Kind: schema.Channel, Type: "disk", Name: "c", Health: "waiting", Why: "full"}}, ""},
		{"again", []api.Component{sink("failed", "gone")}, ""},
		{"and it leaves", nil, ""},
		{"and comes", []api.Component{sink("failed", "gone")}, ""},
	}
	for _, s := range steps {
		out.Reset()
		h.look(now, s.c)
		if out.String() != s.want {
			t.Errorf("%s: got %q, want %q", s.what, out.String(), s.want)
		}
		now = now.Add(healthEvery)
	}
}
