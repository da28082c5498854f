package render

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Diagnostics shows errors and warnings: what is wrong, where, the line with the part marked, and what to do.
func (w *Writer) Diagnostics(diags hcl.Diagnostics, files map[string]*hcl.File) {
	w.show(func() {
		for i, d := range diags {
			if i > 0 {
				w.line()
			}
			w.diagnostic(d, files)
		}
	})
}

func (w *Writer) diagnostic(d *hcl.Diagnostic, files map[string]*hcl.File) {
	head, style := "Error: ", red
	if d.Severity == hcl.DiagWarning {
		head, style = "Warning: ", yellow
	}
	w.line(w.paint(style+";"+bold, head), w.paint(bold, safe(d.Summary)))
	if d.Subject != nil && d.Subject.Filename != "" {
		w.line()
		w.snippet(*d.Subject, files[d.Subject.Filename], style)
	}
	if d.Detail != "" {
		w.line()
		for l := range strings.SplitSeq(strings.TrimRight(escape(d.Detail, true), "\n"), "\n") {
			for _, part := range wrap(l, w.prose) {
				w.line(part)
			}
		}
	}
}

// snippet shows the line of a range with the part marked.
func (w *Writer) snippet(r hcl.Range, f *hcl.File, style string) {
	if f != nil && len(f.Bytes) == 0 { // nothing could be read of it
		w.line("  on " + safe(r.Filename))
		return
	}
	where := "  on " + safe(r.Filename) + " line " + strconv.Itoa(r.Start.Line)
	if f == nil || len(f.Bytes) == 0 || r.Start.Byte < 0 || r.Start.Byte > len(f.Bytes) {
		w.line(where)
		return
	}
	if in := blocksAt(f, r.Start.Byte); in != "" {
		where += ", in " + in
	}
	w.line(where, ":")
	before, marked, after := parts(f.Bytes, r)
	before, marked, after = fit(before, marked, after, w.opt.Width-10)
	number := "  " + strconv.Itoa(r.Start.Line) + ": "
	w.line(number, before, w.paint(style, marked), after)
	w.line(strings.Repeat(" ", columns(number)+columns(before)), w.paint(style, strings.Repeat("~", max(1, columns(marked)))))
}

// parts cuts the first line of a range into what stands before it, in it and behind it, safe to be shown.
func parts(src []byte, r hcl.Range) (before, marked, after string) {
	start := r.Start.Byte
	begin := bytes.LastIndexByte(src[:start], '\n') + 1
	end := len(src)
	if i := bytes.IndexByte(src[start:], '\n'); i >= 0 {
		end = start + i
	}
	stop := min(max(r.End.Byte, start), end)
	show := func(b []byte) string {
		return safe(strings.ReplaceAll(strings.TrimSuffix(string(b), "\r"), "\t", "  "))
	}
	return show(src[begin:start]), show(src[start:stop]), show(src[stop:end])
}

// fit shortens a long line around the marked part.
func fit(before, marked, after string, room int) (string, string, string) {
	if columns(before)+columns(marked)+columns(after) <= room {
		return before, marked, after
	}
	b, m, a := []rune(before), []rune(marked), []rune(after)
	if len(b) > room/2 {
		b = append([]rune("…"), b[len(b)-room/2+1:]...)
	}
	left := max(10, room-len(b))
	if len(m) > left {
		return string(b), string(m[:left-1]) + "…", ""
	}
	left -= len(m)
	if len(a) > left {
		a = append(a[:max(0, left-1):max(0, left-1)], '…')
	}
	return string(b), string(m), string(a)
}

// blocksAt names the blocks around a place, the outer first: agent "driver_info" source "tail" "log".
func blocksAt(f *hcl.File, at int) string {
	body, ok := f.Body.(*hclsyntax.Body)
	var names []string
	for ok && body != nil {
		var inner *hclsyntax.Body
		for _, b := range body.Blocks {
			if b.Range().Start.Byte <= at && at < b.Body.EndRange.End.Byte {
				s := b.Type
				for _, l := range b.Labels {
					s += ` "` + l + `"`
				}
				names = append(names, safe(s))
				inner = b.Body
				break
			}
		}
		body = inner
	}
	return strings.Join(names, " ")
}

// wrap breaks a line between words. Lines that are indented are shown as they are: they are lists and code.
func wrap(s string, room int) []string {
	if columns(s) <= room || strings.HasPrefix(s, " ") {
		return []string{s}
	}
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		switch {
		case line == "":
			line = word
		case columns(line)+1+columns(word) > room:
			lines, line = append(lines, line), word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}
