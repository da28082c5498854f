package hclspec

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"collect/hclspec/internal/syntax"
)

// Format gives the canonical layout of a file.
func Format(src []byte) []byte { return hclwrite.Format(src) }

// isConfig says whether a file of the directory belongs to the configuration.
func isConfig(name string) bool {
	return strings.HasSuffix(name, ".hcl") && !strings.HasPrefix(name, ".") && !strings.HasSuffix(name, ".test.hcl")
}

// readFiles parses every configuration file of the directory.
func (l *loader) readFiles() []*hclsyntax.Body {
	entries, err := os.ReadDir(l.cfg.Root)
	if err != nil {
		l.Fail(hcl.Range{}, "Directory cannot be read", "The configuration's directory %s cannot be read: %s.", l.opts.Dir, syntax.Cause(err))
		return nil
	}
	var names []string
	for _, e := range entries {
		if isConfig(e.Name()) && !e.IsDir() {
			names = append(names, e.Name())
		}
		if e.Name() == "terraform.tfvars" || strings.HasSuffix(e.Name(), ".auto.tfvars") {
			l.Warn(hcl.Range{}, "Terraform's file of values",
				"%s is not read. Values of variables stand in collect.hclvars, or in files that end in .auto.hclvars.", e.Name())
		}
	}
	if len(names) == 0 {
		l.Fail(hcl.Range{}, "No configuration files", "The directory %s holds no file that ends in .hcl. To work on another directory use -chdir=DIR.", l.opts.Dir)
		return nil
	}
	sort.Strings(names)
	var bodies []*hclsyntax.Body
	for _, name := range names {
		path := filepath.Join(l.cfg.Root, name)
		l.Machine.Note(path) // it may be a link
		if f := l.ReadFile(path, name); f != nil {
			if b, ok := f.Body.(*hclsyntax.Body); ok {
				bodies = append(bodies, b)
			}
		}
	}
	return bodies
}

// rootDir makes the directory absolute and free of links.
func rootDir(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the directory %s: %w", dir, err)
	}
	return filepath.EvalSymlinks(abs)
}
