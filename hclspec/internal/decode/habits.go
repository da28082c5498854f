package decode

import (
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/schema"
)

// shellStart is how a path begins that somebody expects a shell to replace.
var shellStart = regexp.MustCompile(`^(~(/|$)|\$[A-Za-z_({])`)

// noShell refuses paths that are written for a shell: nobody would look where they are taken to be, and nothing would be found there.
func (d *Decoding) noShell(s string, at hcl.Range) bool {
	if !shellStart.MatchString(s) {
		return true
	}
	d.Broken = true
	write := "Write an absolute path, or a variable"
	if s[0] == '~' {
		write = `Write pathexpand("` + s + `")`
	}
	d.Fail(at, "Path for a shell", "%q is taken as it stands: no shell replaces its beginning. %s; or %q for what is really called that.", s, write, "./"+s)
	return false
}

// noPlacePattern refuses patterns of files that begin with a directory of the installation whose own name would be read as a pattern: no
// file would ever be found.
func (d *Decoding) noPlacePattern(a *schema.Attr, s string, at hcl.Range) bool {
	if a.Type != schema.StringList || d.About == nil || a.Name != d.About.Files {
		return true
	}
	for _, dir := range []string{d.DataDir, d.Root} {
		i := strings.IndexAny(dir, "*?[{\\")
		if i < 0 || !strings.HasPrefix(s, dir+"/") {
			continue
		}
		d.Broken = true
		d.Fail(at, "Directory that reads as a pattern", "%q begins with %s, and in patterns %q stands for other characters: no file would be found. Move that directory to a name without it.", a.Name, dir, dir[i:i+1])
		return false
	}
	return true
}

// flumeDate is what Flume replaces in paths. Its headers, %{name}, are a mistake of the language and reported as such.
var flumeDate = regexp.MustCompile(`%[YymdHMSjDTtps]([^A-Za-z]|$)`)

// noFlumeDates warns of a path that Flume would fill in.
func (d *Decoding) noFlumeDates(e hclsyntax.Expression) {
	_ = hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		lit, ok := n.(*hclsyntax.LiteralValueExpr)
		if !ok || lit.Val.Type() != cty.String || lit.Val.IsNull() {
			return nil
		}
		if found := flumeDate.FindString(lit.Val.AsString()); found != "" {
			d.Warn(lit.Range(), "Flume's way to write dates", "%s is not replaced: it is a part of the name. Write ${formatdate(\"YYYY-MM-DD\", event.time)} for the day of an event.", found[:2])
		}
		return nil
	})
}
