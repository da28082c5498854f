// Package syntax reads and parses files within the limits that keep the parser, which calls itself for every level, from harm.
package syntax

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"collect/hclspec/internal/diag"
)

// Parse checks the syntax of a file. The file is never nil, so that diagnostics can show its lines.
func Parse(name string, src []byte) (*hcl.File, hcl.Diagnostics) {
	empty := &hcl.File{Bytes: src, Body: &hclsyntax.Body{}}
	if len(src) > maxSize {
		at := hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}
		return empty, hcl.Diagnostics{diag.Error(at, "File cannot be read", "%s: %s.", name, errTooLarge)}
	}
	if i := bytes.IndexByte(src, 0); i >= 0 { // the parser would take it into texts
		return empty, hcl.Diagnostics{diag.Error(rangeAt(name, src, i), "Not a text file", "%s holds a NUL byte here. Configuration is text in UTF-8: save the file again as that.", name)}
	}
	if deep := checkNesting(src); deep != nil {
		return empty, hcl.Diagnostics{diag.Error(rangeAt(name, src, deep.offset), "Nested too deeply", "%s", deep.what)}
	}
	f, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	if f == nil {
		f = empty
	}
	return f, firstError(src, diags)
}

// ParseTemplate parses a file that is a template from its first byte.
func ParseTemplate(name string, src []byte) (hclsyntax.Expression, error) {
	if deep := checkTemplate(src); deep != nil {
		return nil, fmt.Errorf("%s:%d: nested too deeply", name, 1+bytes.Count(src[:deep.offset], []byte("\n")))
	}
	e, diags := hclsyntax.ParseTemplate(src, name, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, errors.New(diag.First(diags))
	}
	return e, nil
}

// Fits says whether an expression may be given to the parser.
func Fits(src []byte) bool { return len(src) <= maxSize && checkNesting(src) == nil }

// firstError gives the first syntax error of a file: those that follow are nearly always its consequence.
func firstError(src []byte, diags hcl.Diagnostics) hcl.Diagnostics {
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			d, _ = diag.Reword(d)
			if at := d.Subject; at != nil && at.Start.Byte < len(src) && src[at.Start.Byte] == '=' && (strings.Contains(d.Summary, "single-argument") || strings.Contains(d.Summary, "Missing newline")) {
				c := *d
				c.Summary, c.Detail = "Two equals signs", "An argument has one value: NAME = VALUE. To compare two values write ==."
				d = &c
			}
			if written, ok := bareUnit(src, d.Subject); ok {
				c := *d
				c.Summary, c.Detail = "Unit without quotes", fmt.Sprintf("A number with a unit stands in quotes: %q.", written)
				d = &c
			}
			if d.Subject != nil && len(src) > 0 && d.Subject.Start.Byte == d.Subject.End.Byte {
				c := *d
				s := *d.Subject
				s.End = hcl.Pos{Line: s.Start.Line, Column: s.Start.Column + 1, Byte: min(s.Start.Byte+1, len(src))}
				c.Subject = &s
				d = &c
			}
			return hcl.Diagnostics{d}
		}
	}
	return nil
}

// bareUnit finds a number that letters follow at once, such as 64MiB, where the parser stops at the letters.
func bareUnit(src []byte, at *hcl.Range) (string, bool) {
	if at == nil || at.Start.Byte >= len(src) {
		return "", false
	}
	begin, end := at.Start.Byte, at.Start.Byte
	for begin > 0 && (src[begin-1] >= '0' && src[begin-1] <= '9' || src[begin-1] == '.') {
		begin--
	}
	for end < len(src) && (src[end]|0x20 >= 'a' && src[end]|0x20 <= 'z') {
		end++
	}
	if begin == at.Start.Byte || end == at.Start.Byte || begin > 0 && !bytes.ContainsRune([]byte(" \t=([{,:"), rune(src[begin-1])) {
		return "", false
	}
	return string(src[begin:end]), true
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
