package render

import (
	"regexp"
	"strings"

	"collect/hclspec/schema"
	"collect/planner/resource"
)

// The columns of the lines under an object.
const (
	itemIndent  = "      "
	placeIndent = "                   "
	labelWidth  = 21
	argWidth    = 9
	nameWidth   = 12
	diffWidth   = 38
)

// items writes the lines under an object.
func (w *Writer) items(c *resource.Change) {
	labels := map[string]string{}
	if m, ok := c.Detail["labels"].(map[string]any); ok {
		for path, v := range m {
			labels[path], _ = v.(string)
		}
	}
	last := ""
	for _, it := range c.Items {
		label, arg := split(it.Path, labels)
		switch {
		case it.Path == "":
			w.line(itemIndent, safe(it.Note))
			last = ""
		case it.Action == "" || c.Action == resource.Create:
			w.fact(label, arg, it, label == last && label != "")
			last = label
		default:
			w.difference(c, label, arg, it)
		}
	}
}

// split divides a path into the name of the component and the argument in it.
func split(path string, labels map[string]string) (label, arg string) {
	for end := len(path); end > 0; end = strings.LastIndexByte(path[:end], '.') {
		if l, ok := labels[path[:end]]; ok {
			return l, strings.TrimPrefix(path[end:], ".")
		}
	}
	return "", path
}

// fact is one argument of a new object.
func (w *Writer) fact(label, arg string, it resource.Item, same bool) {
	what := safe(it.Note)
	switch {
	case it.Sensitive:
		what = "(sensitive)"
	case it.After != nil:
		what = value(it.After)
		if it.Note != "" {
			what += "     " + safe(it.Note)
		}
	}
	if label == "" {
		head, rest, ok := strings.Cut(safe(arg), ".")
		if ok {
			if s, isText := it.After.(string); isText { // config   retention.ms = 600000
				what = safe(s)
			}
			w.line(itemIndent, pad(head, nameWidth), rest, " = ", what)
			return
		}
		w.line(itemIndent, pad(safe(arg), nameWidth), what)
		return
	}
	if same {
		label = ""
	}
	head := itemIndent + pad(safe(label), labelWidth) + pad(safe(arg), argWidth)
	if list, ok := elementsOf(it.After); ok && !it.Sensitive && len(list) > 1 && columns(head+what) > w.opt.Width {
		w.line(head, list[0], strings.TrimRight("     "+safe(it.Note), " "))
		w.elements(columns(head), all("", list[1:]))
		return
	}
	w.line(head, what)
}

var index = regexp.MustCompile(`\[\d+\]$`).ReplaceAllString

// difference is one argument, or one part, that changes.
func (w *Writer) difference(c *resource.Change, label, arg string, it resource.Item) {
	symbol, style := look(it.Action)
	mark := w.paint(style, symbol) + " "
	if c.Kind != "agent" && it.Action == resource.Update {
		mark = ""
	}
	name := safe(label)
	if arg != "" && name != "" {
		name += "  "
	}
	whole := it.Before == nil && it.After == nil && !it.Sensitive // a part that comes or goes, not an argument
	if whole {
		arg = index(arg, "")
	}
	note := safe(it.Note)
	if note == "" && it.Effect == schema.Reload {
		note = "reload: at once, nothing is interrupted"
	}
	text := name + pad(safe(arg), argWidth) + fromTo(it)
	list, long := elementwise(it.Before, it.After)
	if long = long && !whole && !it.Sensitive && columns(itemIndent+text) > w.opt.Width; long {
		text = name + safe(arg)
	}
	switch {
	case whole && label != "" && arg == "": // disk.alerts (1 GiB) ──▶ …
		if !strings.HasPrefix(note, "(") {
			name += " "
		}
		text, note = name+" "+note, ""
	case whole:
		text, note = name+safe(arg)+"  "+note, ""
	}
	if note != "" {
		text = pad(text, diffWidth) + note
	}
	w.line(itemIndent, mark, strings.TrimRight(text, " "))
	if it.Place != "" {
		w.line(placeIndent, w.paint(dim, safe(it.Place)))
	}
	if long {
		w.elements(len(itemIndent)+4, list)
	}
}

// sameFile says whether an argument names the same file as before, which then holds something else.
func sameFile(before, after any) bool {
	x, _ := before.(map[string]any)
	y, _ := after.(map[string]any)
	name, ok := x["file"].(string)
	return ok && x["fp"] != nil && y["file"] == name
}

// fromTo writes the old and the new value.
func fromTo(it resource.Item) string {
	if it.Sensitive {
		if it.Action == resource.Update {
			return "(sensitive, changed)"
		}
		return "(sensitive)"
	}
	if sameFile(it.Before, it.After) {
		return value(it.After) + " (contents changed)"
	}
	before, after := "(default)", "(default)"
	if it.Before != nil {
		before = value(it.Before)
	}
	if it.After != nil {
		after = value(it.After)
	}
	return before + " -> " + after
}
