package hclspec

import (
	"path/filepath"
	"regexp"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/decode"
	"collect/hclspec/internal/names"
	"collect/hclspec/internal/version"
	"collect/hclspec/schema"
)

var nameOfInstallation = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// collectSettings is the collect block.
type collectSettings struct {
	Name            string `collect:"name" doc:"Name of the installation; the directory's name when not given."`
	DataDir         string `collect:"data_dir" doc:"Directory for undelivered events, positions and state."`
	RequiredVersion string `collect:"required_version" doc:"Versions of this program that the configuration works with."`
	TimeZone        string `collect:"time_zone" doc:"Time zone of schedules, such as \"Asia/Seoul\"; without it they are in UTC. Times of events are UTC in any case: intimezone(event.time, ZONE) gives local time."`
}

// checkVersion holds this program's version against required_version.
func (l *loader) checkVersion(want string, at hcl.Range) {
	if want == "" {
		return
	}
	fits, err := version.Fits(l.opts.Version, want)
	switch {
	case err != nil:
		l.Fail(at, "Invalid version", "%s.", err)
	case !fits:
		l.Fail(at, "Wrong version of collect", "The configuration asks for collect %s; this is %s.", want, l.opts.Version)
	}
}

func collectBlock() *schema.Block { return schema.Of(collectSettings{}) }

// installation evaluates the collect block, which names the installation, and settles path.*.
func (l *loader) installation() {
	if l.installed {
		return
	}
	l.installed = true
	l.cfg.Name = filepath.Base(l.cfg.Root)
	var set collectSettings
	at := hcl.Range{}
	if b := l.collect; b != nil {
		at = b.DefRange()
		sc := &names.Scope{}
		d := &decode.Decoding{Decoder: l.Decoder, Scope: sc, What: "collect block", Plain: true}
		c := d.Block(l.Contents(b.Body, sc), decode.Part{Block: collectBlock()})
		_ = schema.Decode(c[0], nil, &set) // the types are right already
		l.checkVersion(set.RequiredVersion, attrRange(b.Body, "required_version"))
	}
	if set.Name != "" {
		l.cfg.Name, l.cfg.NameDeclared, at = set.Name, true, attrRange(l.collect.Body, "name")
	}
	if !nameOfInstallation.MatchString(l.cfg.Name) {
		l.Fail(at, "Invalid name of the installation",
			"%q cannot name an installation. Declare a name of letters, digits, \".\", \"_\" and \"-\": collect { name = \"cars\" }.", l.cfg.Name)
	}
	if set.TimeZone != "" {
		if _, err := time.LoadLocation(set.TimeZone); err != nil {
			l.Fail(attrRange(l.collect.Body, "time_zone"), "Unknown time zone", "%q is not a time zone. Write a name such as \"UTC\" or \"Asia/Seoul\".", set.TimeZone)
		}
	}
	l.cfg.TimeZone, l.TimeZone = set.TimeZone, set.TimeZone
	l.placeData(set.DataDir, at)
}

func (l *loader) placeData(declared string, at hcl.Range) {
	if l.opts.DataDir != nil {
		dir, err := l.opts.DataDir(l.cfg.Name, declared)
		if err != nil {
			l.Fail(at, "Data directory cannot be used", "%s.", err)
		}
		l.cfg.DataDir = dir
	} else {
		l.cfg.DataDir = declared
	}
	l.DataDir = l.cfg.DataDir
	cwd, err := filepath.Abs(".")
	if err != nil {
		cwd = l.cfg.Root
	}
	l.path = cty.ObjectVal(map[string]cty.Value{
		"root": cty.StringVal(l.cfg.Root),
		"data": cty.StringVal(filepath.Join(l.cfg.DataDir, "work")),
		"cwd":  cty.StringVal(cwd),
	})
}

func attrRange(b *hclsyntax.Body, name string) hcl.Range {
	if a := b.Attributes[name]; a != nil {
		return a.Expr.Range()
	}
	return b.MissingItemRange()
}
