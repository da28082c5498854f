package tail

import (
	"path/filepath"
	"strings"
	"testing"

	"collect/providers/providertest"
)

func TestPatterns(t *testing.T) {
	t.Parallel()
	for pattern, names := range map[string]map[string]bool{
		"/a/*.log":         {"/a/x.log": true, "/a/b/x.log": false, "/a/.log": true, "/b/x.log": false},
		"/a/**/x.log":      {"/a/x.log": true, "/a/b/c/x.log": true, "/x.log": false},
		"/a/**":            {"/a/b": true, "/a/b/c": true},
		"/a/b?[0-9].log":   {"/a/bx1.log": true, "/a/bxx.log": false},
		"/a/[!x]":          {"/a/y": true, "/a/x": false},
		"/a/{b,c*}.log":    {"/a/b.log": true, "/a/cc.log": true, "/a/d.log": false},
		"/a/{name}.log":    {"/a/b.log": true, "/a/.log": false},
		`/a/\*`:            {"/a/*": true, "/a/b": false},
		"/a/x.log":         {"/a/x.log": true, "/a/xxlog": false},
		"/a/{b,{c,d}}/{e}": {"/a/d/x": true, "/a/e/x": false},
	} {
		p, err := parsePattern(pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		for name, want := range names {
			if p.matches(name) != want {
				t.Errorf("%s matches %s: %v", pattern, name, !want)
			}
		}
	}
	for _, pattern := range []string{"a/b", "/a/{b", "/a/[b", `/a/b\`, "/a/{b c}", "/a/{collect.x}"} {
		if _, err := parsePattern(pattern); err == nil {
			t.Errorf("%s: accepted", pattern)
		}
	}
}

func TestExclude(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a.log", "b.log", "b.old"} {
		appendTo(t, filepath.Join(dir, name), name+"\n")
	}
	cfg := config(dir + "/*")
	cfg.Exclude = []string{"*.old", dir + "/a*"}
	env := providertest.Env(t)
	out, r := follow(t, cfg, env)
	untilDecided(t, env, 1)
	r.Stop()
	equal(t, []string{"b.log"}, out.Bodies())
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"no include": func(c *Config) { c.Include = nil },
		"include":    func(c *Config) { c.Include = []string{"relative"} },
		"twice":      func(c *Config) { c.Include = []string{"/x/{a}/{a}.log"} },
		"exclude":    func(c *Config) { c.Exclude = []string{"[a"} },
		"max_line":   func(c *Config) { c.MaxLine = 1 << 30 },
		"encoding":   func(c *Config) { c.Encoding = "ebcdic" },
		"first_line": func(c *Config) { c.Multiline = &Multiline{FirstLine: "("} },
		"long regex": func(c *Config) { c.Multiline = &Multiline{FirstLine: strings.Repeat("x", 5000)} },
		"wide lines": func(c *Config) { c.Multiline, c.Encoding = &Multiline{FirstLine: "x"}, "utf-16" },
	} {
		cfg := config("/x")
		if change(&cfg); cfg.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
