package topology

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
	for _, c := range w.Components {
		if c.Def == nil || c.Def.About.Listen == "" {
			continue
		}
		name := c.Def.About.Listen
		addr, _ := c.Config[name].(string)
		network, ok := c.choice("protocol")
		if !ok {
			network = "tcp"
		}
		w.listen(c.Addr, network, addr, w.Ranges[c.Path()+"."+name])
	}
	if m, ok := w.Spec.Settings["metrics"].(map[string]any); ok {
		addr, _ := m["listen"].(string)
		w.listen(w.Addr+" metrics", "tcp", addr, w.Ranges["metrics.listen"])
	}
}

func (w *wiring) listen(what, network, addr string, at hcl.Range) {
	if addr == "" || network == "unix" {
		return
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		w.g.fail(at, "Invalid address", "%q is not an address to listen on. Write HOST:PORT, such as \"127.0.0.1:7000\".", addr)
		return
	}
	if port == "0" {
		return
	}
	w.g.listeners = append(w.g.listeners, listener{what, network, normalHost(host), port, at, addr})
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

func (g *Graph) checkListeners() {
	byPort := map[[2]string][]listener{}
	reported := map[hcl.Range]bool{} // one of all instances of a block is enough
	for _, x := range g.listeners {
		k := [2]string{x.network, x.port}
		for _, y := range byPort[k] {
			if (x.host == y.host || x.host == "" || y.host == "") && !reported[x.at] {
				reported[x.at] = true
				g.fail(x.at, "Address used twice", "%s listens on %s, and %s (%s:%d) on %s: only one can have it.", x.what, x.original, y.what, y.at.Filename, y.at.Start.Line, y.original)
				break
			}
		}
		byPort[k] = append(byPort[k], x)
	}
}

// watched is a set of files that a source takes for itself: it renames or deletes what it has read.
type watched struct {
	c     *Component
	takes bool
	at    hcl.Range
	key   string
}

func (w *wiring) collectFiles() {
	for _, c := range w.Components {
		if c.Def == nil || c.Def.About.Files == "" {
			continue
		}
		name := c.Def.About.Files
		var keys []string
		switch v := c.Config[name].(type) {
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
			w.g.files = append(w.g.files, watched{c, c.takes(), w.Ranges[c.Path()+"."+name], k})
		}
	}
}

// checkFiles finds two sources on the same files where one marks or deletes them, which is where the other looks for what
// it has read.
func (g *Graph) checkFiles() {
	seen := map[string]watched{}
	for _, f := range g.files {
		old, ok := seen[f.key]
		if !ok {
			seen[f.key] = f
			continue
		}
		if old.c != f.c && (old.takes || f.takes) {
			g.fail(f.at, "Files read by two sources", "%s reads %s too (%s:%d), and files are renamed or deleted when they are read: each would get only some of them.", old.c.Addr, f.key, old.at.Filename, old.at.Start.Line)
		}
	}
}
