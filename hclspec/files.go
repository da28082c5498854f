package hclspec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
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
		l.fail(hcl.Range{}, "Directory cannot be read", "The configuration's directory %s cannot be read: %s.", l.opts.Dir, cause(err))
		return nil
	}
	var names []string
	for _, e := range entries {
		if isConfig(e.Name()) && !e.IsDir() {
			names = append(names, e.Name())
		}
		if e.Name() == "terraform.tfvars" || strings.HasSuffix(e.Name(), ".auto.tfvars") {
			l.warn(hcl.Range{}, "Terraform's file of values",
				"%s is not read. Values of variables stand in collect.hclvars, or in files that end in .auto.hclvars.", e.Name())
		}
	}
	if len(names) == 0 {
		l.fail(hcl.Range{}, "No configuration files", "The directory %s holds no file that ends in .hcl. To work on another directory use -chdir=DIR.", l.opts.Dir)
		return nil
	}
	sort.Strings(names)
	var bodies []*hclsyntax.Body
	for _, name := range names {
		path := filepath.Join(l.cfg.Root, name)
		l.noteOutside(path) // it may be a link
		if f := l.readFile(path, name); f != nil {
			if b, ok := f.Body.(*hclsyntax.Body); ok {
				bodies = append(bodies, b)
			}
		}
	}
	return bodies
}

// readFile reads and parses one file, within the limits; diagnostics call it name.
func (l *loader) readFile(path, name string) *hcl.File {
	at := hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}
	l.cfg.Files[name] = &hcl.File{Body: &hclsyntax.Body{}}
	src, err := readLimited(path)
	if err != nil {
		l.fail(at, "File cannot be read", "%s: %s.", name, cause(err))
		return nil
	}
	l.cfg.Files[name] = &hcl.File{Bytes: src, Body: &hclsyntax.Body{}}
	if !l.isText(name, src) {
		return nil
	}
	if deep := checkNesting(src); deep != nil {
		l.fail(rangeAt(name, src, deep.offset), "Nested too deeply", "%s", deep.what)
		return nil
	}
	f, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	if len(diags) > 0 {
		l.syntaxErrors(src, diags)
	}
	if f != nil {
		l.cfg.Files[name] = f
	}
	if diags.HasErrors() {
		return nil
	}
	return f
}

// isText refuses a file with a NUL byte, which the parser would take into texts.
func (l *loader) isText(name string, src []byte) bool {
	i := bytes.IndexByte(src, 0)
	if i >= 0 {
		l.fail(rangeAt(name, src, i), "Not a text file", "%s holds a NUL byte here.", name)
	}
	return i < 0
}

// syntaxErrors reports the first syntax error of a file: those that follow are nearly always its consequence.
func (l *loader) syntaxErrors(src []byte, diags hcl.Diagnostics) {
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			d = l.reword(d)
			if at := d.Subject; at != nil && at.Start.Byte < len(src) && src[at.Start.Byte] == '=' && (strings.Contains(d.Summary, "single-argument") || strings.Contains(d.Summary, "Missing newline")) {
				c := *d
				c.Summary, c.Detail = "Two equals signs", "An argument has one value: NAME = VALUE. To compare two values write ==."
				d = &c
			}
			if d.Subject != nil && len(src) > 0 && d.Subject.Start.Byte == d.Subject.End.Byte {
				c := *d
				s := *d.Subject
				s.End = hcl.Pos{Line: s.Start.Line, Column: s.Start.Column + 1, Byte: min(s.Start.Byte+1, len(src))}
				c.Subject = &s
				d = &c
			}
			l.diags = append(l.diags, d)
			return
		}
	}
}

var errTooLarge = errors.New("larger than 1 MiB")

// readLimited reads a regular file of at most 1 MiB. It is opened without waiting, for a pipe, and what is open is what is checked.
func readLimited(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	case info.Size() > maxFileSize:
		return nil, errTooLarge
	}
	src, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err == nil && len(src) > maxFileSize {
		err = errTooLarge
	}
	return src, err
}

// cause gives the reason of a file error without its path, which the message names already.
func cause(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// rangeAt gives the place of one byte.
func rangeAt(name string, src []byte, offset int) hcl.Range {
	pos := hcl.Pos{Line: 1, Column: 1, Byte: offset}
	for _, c := range src[:offset] {
		pos.Column++
		if c == '\n' {
			pos.Line, pos.Column = pos.Line+1, 1
		}
	}
	end := pos
	end.Column, end.Byte = end.Column+1, min(end.Byte+1, len(src))
	return hcl.Range{Filename: name, Start: pos, End: end}
}

// rootDir makes the directory absolute and free of links.
func rootDir(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the directory %s: %w", dir, err)
	}
	return filepath.EvalSymlinks(abs)
}
