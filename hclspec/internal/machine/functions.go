package machine

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/functions"
	"collect/hclspec/internal/syntax"
)

// AddFunctions adds the functions that look at files and the environment to those that do not; templates may use all of them.
func (m *Machine) AddFunctions(out map[string]function.Function) {
	text := func(name string, f func(string) (string, error)) {
		out[name] = pathFunction(f)
	}
	text("file", m.file)
	text("abspath", func(s string) (string, error) { return filepath.Clean(m.Resolve(s)), nil })
	text("basename", func(s string) (string, error) { return filepath.Base(s), nil })
	text("dirname", func(s string) (string, error) { return filepath.Dir(s), nil })
	text("pathexpand", m.pathExpand)
	out["fileexists"] = m.fileExists()
	out["fileset"] = m.fileSet()
	out["env"] = m.env()
	out["secretfile"] = m.secretFile()
	out["templatefile"] = m.templateFile(out)
}

func pathFunction(f func(string) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			s, err := f(args[0].AsString())
			if err != nil {
				return cty.UnknownVal(cty.String), function.NewArgError(0, err)
			}
			return cty.StringVal(s), nil
		},
	})
}

func (m *Machine) file(name string) (string, error) {
	src, err := m.Read(name)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, syntax.Cause(err))
	}
	m.meter.Charge(len(src)/16, hcl.Range{})
	return string(src), nil
}

func (m *Machine) pathExpand(s string) (string, error) {
	if s != "~" && !strings.HasPrefix(s, "~/") {
		return s, nil
	}
	home := m.Environ["HOME"]
	if home == "" {
		return "", fmt.Errorf("the environment has no HOME")
	}
	return filepath.Join(home, s[1:]), nil
}

func (m *Machine) fileExists() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			info, err := os.Stat(m.reads(args[0].AsString()))
			return cty.BoolVal(err == nil && info.Mode().IsRegular()), nil
		},
	})
}

const maxFileSet = 100000

// countedTree stops a search that goes through a whole machine.
type countedTree struct {
	fs.FS
	seen int
}

func (t *countedTree) ReadDir(name string) ([]fs.DirEntry, error) {
	if t.seen > maxFileSet {
		return nil, fs.ErrInvalid
	}
	list, err := fs.ReadDir(t.FS, name)
	t.seen += 1 + len(list)
	return list, err
}

func (m *Machine) fileSet() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "pattern", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Set(cty.String)),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			none := cty.SetValEmpty(cty.String)
			if !doublestar.ValidatePattern(args[1].AsString()) {
				return none, function.NewArgErrorf(1, "%q is not a pattern", args[1].AsString())
			}
			dir := m.reads(args[0].AsString())
			tree := &countedTree{FS: os.DirFS(dir)}
			names, err := doublestar.Glob(tree, args[1].AsString(), doublestar.WithFilesOnly(), doublestar.WithNoFollow())
			if tree.seen > maxFileSet {
				return none, function.NewArgErrorf(0, "%s holds more than %d files and directories", dir, maxFileSet)
			}
			if err != nil {
				return none, function.NewArgErrorf(0, "the files of %s cannot be listed", dir)
			}
			sort.Strings(names)
			vals := make([]cty.Value, len(names))
			for i, n := range names {
				vals[i] = cty.StringVal(n)
			}
			if len(vals) == 0 {
				return none, nil
			}
			return cty.SetVal(vals), nil
		},
	})
}

// env reads the environment. With Partial a variable that is not set is not known, instead of an error.
func (m *Machine) env() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "name", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := args[0].AsString()
			v, ok := m.Environ[name]
			switch {
			case ok:
				return cty.StringVal(v).Mark(functions.Sensitive), nil
			case m.partial:
				m.Incomplete = true
				return cty.UnknownVal(cty.String).Mark(functions.Sensitive), nil
			}
			return cty.UnknownVal(cty.String), function.NewArgErrorf(0, "the environment has no variable %s", name)
		},
	})
}

func (m *Machine) secretFile() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			s, err := m.file(args[0].AsString())
			if err != nil {
				if m.partial {
					m.Incomplete = true
					return cty.UnknownVal(cty.String).Mark(functions.Sensitive), nil
				}
				return cty.UnknownVal(cty.String), function.NewArgError(0, err)
			}
			return cty.StringVal(strings.TrimRight(s, "\r\n")).Mark(functions.Sensitive), nil
		},
	})
}

// templateFile evaluates a file as a template. Templates do not read other templates, so they cannot go on for ever.
func (m *Machine) templateFile(all map[string]function.Function) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "vars", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			none := cty.UnknownVal(cty.String)
			name := args[0].AsString()
			e, err := m.template(name)
			if err != nil {
				return none, function.NewArgError(0, err)
			}
			t := args[1].Type()
			if !t.IsObjectType() && !t.IsMapType() {
				return none, function.NewArgErrorf(1, "the values of a template are a map")
			}
			ctx := &hcl.EvalContext{Variables: args[1].AsValueMap(), Functions: make(map[string]function.Function, len(all))}
			for n, f := range all {
				if n != "templatefile" {
					ctx.Functions[n] = f
				}
			}
			for _, tr := range e.Variables() {
				if _, ok := ctx.Variables[tr.RootName()]; !ok {
					return none, function.NewArgErrorf(1, "%s:%d uses %q, which the map does not have", name, tr.SourceRange().Start.Line, tr.RootName())
				}
			}
			v, diags := m.meter.Value(e, ctx)
			if diags.HasErrors() {
				return none, function.NewArgErrorf(0, "%s", diag.First(diags))
			}
			return templateText(v, name)
		},
	})
}

func templateText(v cty.Value, name string) (cty.Value, error) {
	v, marks := v.Unmark()
	if v.Type() != cty.String || v.IsNull() {
		return cty.UnknownVal(cty.String), function.NewArgErrorf(0, "%s does not give text", name)
	}
	return v.WithMarks(marks), nil
}

// template is a file that was parsed.
type template struct {
	expr hclsyntax.Expression
	err  error
}

// template reads a file once, however often it is used.
func (m *Machine) template(name string) (hclsyntax.Expression, error) {
	t, ok := m.templates[name]
	if !ok {
		t.expr, t.err = m.parseTemplate(name)
		m.templates[name] = t
	}
	return t.expr, t.err
}

func (m *Machine) parseTemplate(name string) (hclsyntax.Expression, error) {
	src, err := m.Read(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, syntax.Cause(err))
	}
	return syntax.ParseTemplate(name, src)
}
