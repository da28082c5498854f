package tfjson

import (
	"bytes"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Diagnostic is an error or a warning.
type Diagnostic struct {
	Severity string       `json:"severity"`
	Summary  string       `json:"summary"`
	Detail   string       `json:"detail"`
	Address  string       `json:"address,omitempty"`
	Range    *jsonRange   `json:"range,omitempty"`
	Snippet  *jsonSnippet `json:"snippet,omitempty"`
}

type jsonRange struct {
	Filename string  `json:"filename"`
	Start    jsonPos `json:"start"`
	End      jsonPos `json:"end"`
}

type jsonPos struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

type jsonSnippet struct {
	Context              *string `json:"context"`
	Code                 string  `json:"code"`
	StartLine            int     `json:"start_line"`
	HighlightStartOffset int     `json:"highlight_start_offset"`
	HighlightEndOffset   int     `json:"highlight_end_offset"`
	Values               []any   `json:"values"`
}

// DiagnosticOf gives a diagnostic, with the lines that it is about.
func DiagnosticOf(d *hcl.Diagnostic, files map[string]*hcl.File) Diagnostic {
	out := Diagnostic{Severity: "error", Summary: d.Summary, Detail: d.Detail}
	if d.Severity == hcl.DiagWarning {
		out.Severity = "warning"
	}
	if d.Subject == nil || d.Subject.Filename == "" {
		return out
	}
	r := *d.Subject
	out.Range = &jsonRange{
		Filename: r.Filename, Start: jsonPos{r.Start.Line, r.Start.Column, r.Start.Byte},
		End: jsonPos{r.End.Line, r.End.Column, r.End.Byte},
	}
	out.Snippet = snippet(r, files[r.Filename])
	return out
}

// snippet gives the whole lines that a range lies in.
func snippet(r hcl.Range, file *hcl.File) *jsonSnippet {
	if file == nil || r.Start.Byte < 0 || r.Start.Byte > len(file.Bytes) || r.End.Byte < r.Start.Byte {
		return nil
	}
	src := file.Bytes
	from := bytes.LastIndexByte(src[:r.Start.Byte], '\n') + 1
	end := min(r.End.Byte, len(src))
	to := end
	if n := bytes.IndexByte(src[end:], '\n'); n >= 0 {
		to = end + n
	} else {
		to = len(src)
	}
	s := &jsonSnippet{
		Code: string(src[from:to]), StartLine: r.Start.Line, HighlightStartOffset: r.Start.Byte - from, HighlightEndOffset: end - from,
		Values: []any{},
	}
	if body, ok := file.Body.(*hclsyntax.Body); ok {
		for _, b := range body.Blocks {
			if b.Range().Start.Byte <= r.Start.Byte && r.End.Byte <= b.Range().End.Byte {
				name := b.Type
				for _, l := range b.Labels {
					name += " \"" + l + "\""
				}
				s.Context = &name
			}
		}
	}
	return s
}
