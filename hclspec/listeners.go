package hclspec

import (
	"net"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// listener is one address that an agent listens on.
type listener struct {
	what     string
	network  string
	host     string
	port     string
	at       hcl.Range
	original string
}

func (w *wiring) collectListeners() {
	if w.inst.phantom {
		return
	}
	for _, c := range w.inst.components {
		if c.def == nil || c.def.About.Listen == "" {
			continue
		}
		name := c.def.About.Listen
		addr, _ := c.cfg[name].(string)
		network := "tcp"
		if p, ok := c.cfg["protocol"].(string); ok {
			network = p
		} else if a, ok := c.def.Block.Attr("protocol"); ok {
			if p, ok := a.Default.(string); ok {
				network = p
			}
		}
		w.listen(c.ref.Addr, network, addr, w.own.ranges[c.path()+"."+name])
	}
	if m, ok := w.spec.Settings["metrics"].(map[string]any); ok {
		addr, _ := m["listen"].(string)
		w.listen(w.inst.addr+" metrics", "tcp", addr, w.own.ranges["metrics.listen"])
	}
}

func (w *wiring) listen(what, network, addr string, at hcl.Range) {
	if addr == "" || network == "unix" {
		return
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		w.l.fail(at, "Invalid address", "%q is not an address to listen on. Write HOST:PORT, such as \"127.0.0.1:7000\".", addr)
		return
	}
	if port == "0" {
		return
	}
	w.l.graph.listeners = append(w.l.graph.listeners, listener{what, network, normalHost(host), port, at, addr})
}

// normalHost gives "" for an address that stands for all of a machine.
func normalHost(h string) string {
	if strings.EqualFold(h, "localhost") {
		return "127.0.0.1"
	}
	if ip := net.ParseIP(h); ip != nil {
		if ip.IsUnspecified() {
			return ""
		}
		return ip.String()
	}
	return strings.ToLower(h)
}

func (l *loader) checkListeners() {
	byPort := map[[2]string][]listener{}
	reported := map[hcl.Range]bool{} // one of all instances of a block is enough
	for _, x := range l.graph.listeners {
		k := [2]string{x.network, x.port}
		for _, y := range byPort[k] {
			if (x.host == y.host || x.host == "" || y.host == "") && !reported[x.at] {
				reported[x.at] = true
				l.fail(x.at, "Address used twice", "%s listens on %s, and %s (%s:%d) on %s: only one can have it.", x.what, x.original, y.what, y.at.Filename, y.at.Start.Line, y.original)
				break
			}
		}
		byPort[k] = append(byPort[k], x)
	}
}

// watched is a set of files that a source takes for itself: it renames or deletes what it has read.
type watched struct {
	c     *component
	takes bool
	at    hcl.Range
	key   string
}

func (w *wiring) collectFiles() {
	if w.inst.phantom {
		return
	}
	for _, c := range w.inst.components {
		if c.def == nil || c.def.About.Files == "" {
			continue
		}
		name := c.def.About.Files
		takes := c.choice("done", "track") || c.choice("delete", "never")
		var keys []string
		switch v := c.cfg[name].(type) {
		case string:
			keys = []string{v}
		case []any:
			for _, x := range v {
				if s, ok := x.(string); ok {
					keys = append(keys, s)
				}
			}
		}
		for _, k := range keys {
			w.l.graph.files = append(w.l.graph.files, watched{c, takes, w.own.ranges[c.path()+"."+name], k})
		}
	}
}

// choice says whether an argument has, given or by default, another value than the harmless one.
func (c *component) choice(name, harmless string) bool {
	a, ok := c.def.Block.Attr(name)
	if !ok {
		return false
	}
	s, ok := c.cfg[name].(string)
	if !ok {
		s, ok = a.Default.(string)
	}
	return ok && s != harmless
}

// checkFiles finds two sources on the same files where one marks or deletes them, which is where the other looks for what
// it has read.
func (l *loader) checkFiles() {
	seen := map[string]watched{}
	for _, f := range l.graph.files {
		old, ok := seen[f.key]
		if !ok {
			seen[f.key] = f
			continue
		}
		if old.c != f.c && (old.takes || f.takes) {
			l.fail(f.at, "Files read by two sources", "%s reads %s too (%s:%d), and files are renamed or deleted when they are read: each would get only some of them.", old.c.ref.Addr, f.key, old.at.Filename, old.at.Start.Line)
		}
	}
}
