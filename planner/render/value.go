package render

import (
	"encoding/json"
	"sort"
	"strconv"
	"strings"

	"collect/planner/resource"
	"collect/runtime/supervisor/api"
)

// longValue is how many columns of a single value are shown.
const longValue = 400

// value writes a JSON value as it would stand in a configuration: strings in quotes, references and expressions as they are.
func value(v any) string {
	s := valueText(v)
	if columns(s) <= longValue {
		return s
	}
	r := []rune(s)
	return string(r[:longValue-20]) + "… (" + resource.Number(int64(len(r))) + " characters)"
}

func valueText(v any) string {
	switch x := v.(type) {
	case nil:
		return "null"
	case string:
		return `"` + strings.ReplaceAll(safe(x), `"`, `\"`) + `"`
	case bool:
		return strconv.FormatBool(x)
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	case int:
		return strconv.Itoa(x)
	case int64:
		return strconv.FormatInt(x, 10)
	case []any:
		return "[" + join(x) + "]"
	case []string:
		all := make([]any, len(x))
		for i, e := range x {
			all[i] = e
		}
		return "[" + join(all) + "]"
	case map[string]any:
		return object(x)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return safe(string(raw))
}

func join(list []any) string {
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = valueText(e)
	}
	return strings.Join(out, ", ")
}

// isSpecial says whether a map stands for one thing: a reference, an expression, a file, a secret.
func isSpecial(m map[string]any) bool {
	for _, key := range []string{"ref", "expr", "file", "secret"} {
		if _, ok := m[key].(string); ok {
			return true
		}
	}
	return false
}

func object(m map[string]any) string {
	for _, key := range []string{"ref", "expr"} {
		if s, ok := m[key].(string); ok {
			return safe(s)
		}
	}
	if s, ok := m["file"].(string); ok && m["fp"] != nil {
		return valueText(s)
	}
	if _, ok := m["secret"].(string); ok {
		return "(sensitive)"
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = safe(k) + " = " + valueText(m[k])
	}
	return "{ " + strings.Join(out, ", ") + " }"
}

// flagAddress writes an address so that it can be pasted into a shell.
func flagAddress(a string) string {
	a = safe(a)
	if strings.ContainsAny(a, `"[]$ '*?&;|<>()\`) {
		return "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	return a
}

// howMany writes the figure of a loss: "1,204 events", "an unknown number of events".
func howMany(l resource.Loss) string {
	what := strings.TrimSuffix(l.What, " waiting")
	if what == "" {
		what = "events"
	}
	if l.Events >= api.UnknownEvents {
		return "an unknown number of " + safe(what)
	}
	if l.Events == 1 {
		what = strings.TrimSuffix(what, "s")
	}
	return resource.Number(l.Events) + " " + safe(what)
}

// growing says who adds to a loss until the plan stops them.
func growing(l resource.Loss) string {
	if len(l.Writers) == 0 {
		if l.More > 0 {
			return ", and up to " + resource.Number(l.More) + " that may still arrive until its sources have stopped"
		}
		return ""
	}
	names := make([]string, len(l.Writers))
	for i, w := range l.Writers {
		names[i] = safe(w)
	}
	verb := " still writes until it has stopped"
	if len(names) > 1 {
		verb = " still write until they have stopped"
	}
	return ", and what " + strings.Join(names, ", ") + verb
}

// plural writes a count with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return resource.Number(int64(n)) + " " + noun + "s"
}
