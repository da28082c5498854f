package functions

import (
	"strings"

	"github.com/zclconf/go-cty/cty/function"
)

// optionalLast are the functions whose last argument may be left out: it is one, not any number.
var optionalLast = map[string]bool{"lookup": true, "duration": true, "parsetime": true}

// Usage gives how a call is written: upper(str).
func Usage(name string, f function.Function) string {
	var args []string
	for _, p := range f.Params() {
		args = append(args, p.Name)
	}
	if p := f.VarParam(); p != nil {
		last := p.Name + "…"
		if optionalLast[name] {
			last = "[" + p.Name + "]"
		}
		args = append(args, last)
	}
	return name + "(" + strings.Join(args, ", ") + ")"
}

// Doc says what a function gives, here or in package machine, or "". Where nothing else is said, it is Terraform's.
func Doc(name string) string { return docs[name] }

var docs = map[string]string{
	"abs":             "The number without its sign.",
	"abspath":         "The path as an absolute one, seen from the configuration's directory.",
	"alltrue":         "Whether all elements are true; true for an empty list.",
	"anytrue":         "Whether an element is true; false for an empty list.",
	"base64decode":    "The text that is encoded. Bytes that are not UTF-8 are an error; on events they are kept.",
	"base64encode":    "The text in base64.",
	"basename":        "The last part of a path.",
	"can":             "Whether the expression has a value. What can be known before anything runs, such as a misspelled name, is an error all the same.",
	"ceil":            "The next whole number that is not smaller.",
	"chomp":           "The text without newlines at its end.",
	"cidrhost":        "The address with a number in a network.",
	"cidrsubnet":      "A part of a network, with so many more bits.",
	"coalesce":        "The first argument that is neither null nor an empty text.",
	"compact":         "The list without empty texts and nulls.",
	"concat":          "The lists one after the other.",
	"contains":        "Whether a list holds a value.",
	"csvdecode":       "A list of objects, one for each line after the first, which names the columns.",
	"dirname":         "The path without its last part.",
	"distinct":        "The list with each value once, in the order of their first places.",
	"duration":        "A duration such as \"10m\" as a number, in seconds or the unit: ns, us, ms, s, m, h, d.",
	"element":         "The element with a number; counting goes on from the start behind the end, and from the end for negative numbers.",
	"endswith":        "Whether the text ends with another.",
	"env":             "A variable of the environment of whoever plans; a secret. It must be set.",
	"file":            "The contents of a file, UTF-8 and at most 1 MiB.",
	"fileexists":      "Whether there is such a file.",
	"fileset":         "The files below a directory that fit a pattern with * and **.",
	"flatten":         "The list with lists in it replaced by their elements, at any depth.",
	"floor":           "The next whole number that is not larger.",
	"format":          "A text with values in the places of %s, %d, %f, %v, %q and so on.",
	"formatdate":      "A time in a layout of YYYY MM DD hh mm ss and so on. Times on events are UTC: see intimezone.",
	"formatlist":      "format for each element of lists.",
	"indent":          "The text with spaces in front of every line but the first.",
	"index":           "The number of an element with a value; none is an error.",
	"intimezone":      "The same moment with the clock of a time zone such as \"Asia/Seoul\", for formatdate.",
	"join":            "The elements of lists as one text, with a separator between them.",
	"jsondecode":      "The value that a JSON text holds.",
	"jsonencode":      "A value as JSON.",
	"keys":            "The keys of a map, sorted.",
	"length":          "The number of elements, or of characters.",
	"log":             "The logarithm to a base.",
	"lookup":          "The element with a key, or the default.",
	"lower":           "The text in small letters.",
	"max":             "The largest number.",
	"md5":             "The MD5 digest in hexadecimal. On events of the bytes as they are.",
	"merge":           "One map of several; later ones win.",
	"min":             "The smallest number.",
	"nonsensitive":    "The value without its mark as a secret.",
	"one":             "The only element, or null for an empty list.",
	"parseint":        "The whole number that a text holds, to a base from 2 to 62.",
	"parsetime":       "The time that a text holds in a layout of formatdate; without an offset in the layout it is a clock of the zone, or UTC.",
	"pathexpand":      "The path with ~ replaced by the home directory.",
	"pow":             "The power of a number.",
	"range":           "Whole numbers from a start (0) to before a limit, by a step (1); 1024 at most.",
	"regex":           "The first match of a pattern (RE2): the text, a list with groups, an object with named groups. No match is an error: see can and try.",
	"regexall":        "All matches of a pattern, as a list.",
	"regexreplace":    "The text with every match of a pattern replaced; $1 or ${name} is a group.",
	"replace":         "The text with every occurrence of another replaced. Between slashes, \"/…/\", the other is a pattern.",
	"reverse":         "The list from its end.",
	"secretfile":      "The contents of a file without newlines at its end; a secret.",
	"sensitive":       "The value, marked as a secret.",
	"setintersection": "What is in all sets.",
	"setproduct":      "All combinations of one element of each.",
	"setsubtract":     "What is in the first set and not in the second.",
	"setunion":        "What is in any of the sets.",
	"sha1":            "The SHA-1 digest in hexadecimal. On events of the bytes as they are.",
	"sha256":          "The SHA-256 digest in hexadecimal. On events of the bytes as they are.",
	"sha512":          "The SHA-512 digest in hexadecimal. On events of the bytes as they are.",
	"signum":          "-1, 0 or 1: the sign of a number.",
	"size":            "A size such as \"64MiB\" as a number of bytes.",
	"slice":           "The elements from one number to before another.",
	"sort":            "The texts in order, by code points.",
	"split":           "The parts of a text between separators.",
	"startswith":      "Whether the text begins with another.",
	"strcontains":     "Whether the text holds another.",
	"strlen":          "The number of characters, as a reader counts them.",
	"strrev":          "The text from its end, character by character.",
	"substr":          "A part of a text: from a character on (from the end when negative), so many characters (-1: all).",
	"sum":             "The sum of numbers; an empty list is an error.",
	"templatefile":    "A file with ${…} and %{…} evaluated with the values of a map. Templates read no other templates.",
	"timeadd":         "The time moved by a duration such as \"90s\" or \"-1h30m\"; units are h, m, s, ms, us, ns.",
	"timecmp":         "-1, 0 or 1: whether one time is before, at or after another.",
	"title":           "The text with a capital at the start of every word.",
	"tobool":          "true or false of a text.",
	"tolist":          "The list of the elements.",
	"tomap":           "The map of the elements.",
	"tonumber":        "The number that a text holds.",
	"toset":           "The set of the elements.",
	"tostring":        "The text of a number or bool.",
	"trim":            "The text without certain characters at both ends.",
	"trimprefix":      "The text without a certain beginning.",
	"trimspace":       "The text without spaces and newlines at both ends.",
	"trimsuffix":      "The text without a certain end.",
	"try":             "The first expression that has a value.",
	"upper":           "The text in capitals.",
	"urlencode":       "The text as it stands in a URL.",
	"values":          "The values of a map, in the order of their keys.",
	"yamldecode":      "The value that a YAML text holds.",
	"yamlencode":      "A value as YAML.",
	"zipmap":          "The map of a list of keys and a list of values.",
}
