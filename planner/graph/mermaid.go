package graph

import (
	"fmt"
	"io"
	"strings"
)

// Picture is a flow to be drawn: boxes in groups, and arrows between them.
type Picture struct {
	Groups []Group
	Arrows []Arrow
}

// Group is a frame with boxes; without a title its boxes stand alone.
type Group struct {
	Title string
	Boxes []Box
}

// Box is one node. ID is what arrows name; it is any text.
type Box struct {
	ID, Label string
	Shape     Shape
}

// Shape is the form of a box.
type Shape string

// The shapes.
const (
	Rect     Shape = "rect"
	Round    Shape = "round"
	Cylinder Shape = "cylinder"
	Queue    Shape = "queue"
)

// Arrow is an edge between boxes.
type Arrow struct {
	From, To, Label string
	Dotted          bool
}

// Mermaid writes the picture as a flowchart. Names and labels are foreign text: they cannot end a label or begin markup.
func (p Picture) Mermaid(w io.Writer) error {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	ids := map[string]string{}
	name := func(id string) string {
		if ids[id] == "" {
			ids[id] = fmt.Sprintf("n%d", len(ids)+1)
		}
		return ids[id]
	}
	for i, g := range p.Groups {
		indent := "  "
		if g.Title != "" {
			fmt.Fprintf(&b, "  subgraph g%d[\"%s\"]\n", i+1, escape(g.Title))
			indent = "    "
		}
		for _, box := range g.Boxes {
			left, right := box.Shape.brackets()
			fmt.Fprintf(&b, "%s%s%s\"%s\"%s\n", indent, name(box.ID), left, escape(box.Label), right)
		}
		if g.Title != "" {
			b.WriteString("  end\n")
		}
	}
	for _, a := range p.Arrows {
		line := "-->"
		if a.Dotted {
			line = "-.->"
		}
		if a.Label != "" {
			line += "|\"" + escape(a.Label) + "\"|"
		}
		fmt.Fprintf(&b, "  %s %s %s\n", name(a.From), line, name(a.To))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (s Shape) brackets() (left, right string) {
	switch s {
	case Round:
		return "(", ")"
	case Cylinder:
		return "[(", ")]"
	case Queue:
		return "([", "])"
	}
	return "[", "]"
}

// escape writes text as Mermaid's entity codes where it could mean something else.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t':
			b.WriteByte(' ')
		case strings.ContainsRune(`"#<>&;|\{}[]()`+"`", r), r < ' ', r >= 0x7f && r < 0xa0, bidi(r):
			fmt.Fprintf(&b, "#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func bidi(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0x061c
}
