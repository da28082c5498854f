package expr

import (
	"maps"
	"sync"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/functions"
)

// Function is a function of the language.
type Function = functions.Function

// Sensitive marks values that no output, plan or per-event expression may show. The language marks what env(), secretfile() and
// sensitive variables give.
const Sensitive = functions.Sensitive

// Functions gives the functions that the language has everywhere, by name. Those that read files or the environment are not
// among them: package hclspec adds them.
func Functions() map[string]Function { return maps.Clone(functions.Table()) }

// builder makes the closures of a call whose arguments are checked.
type builder func(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, typ cty.Type) *node

// natives are the functions that have closures of their own. What is not among them is called through cty for each event.
var natives = sync.OnceValue(func() map[string]builder {
	all := map[string]builder{
		"upper":        buildUpper,
		"lower":        buildLower,
		"trim":         buildTrim,
		"trimspace":    buildTrimSpace,
		"trimprefix":   buildTrimPrefix,
		"trimsuffix":   buildTrimSuffix,
		"replace":      buildReplace,
		"regexreplace": buildRegexReplace,
		"substr":       buildSubstr,
		"split":        buildSplit,
		"join":         buildJoin,
		"format":       buildFormat,
		"strlen":       buildStrlen,
		"startswith":   buildTextTest(bytesHasPrefix),
		"endswith":     buildTextTest(bytesHasSuffix),
		"strcontains":  buildTextTest(bytesContains),
		"chomp":        buildChomp,
		"regex":        buildRegex,
		"regexall":     buildRegexAll,
		"length":       buildLength,
		"contains":     buildContains,
		"element":      buildElement,
		"lookup":       buildLookup,
		"coalesce":     buildCoalesce,
		"abs":          buildNumber(absolute),
		"ceil":         buildNumber(ceiling),
		"floor":        buildNumber(floor),
		"signum":       buildNumber(signum),
		"log":          buildNumber2(logarithm),
		"pow":          buildNumber2(power),
		"max":          buildExtreme(1),
		"min":          buildExtreme(-1),
		"parseint":     buildParseInt,
		"tonumber":     buildToNumber,
		"tostring":     buildToString,
		"tobool":       buildToBool,
		"formatdate":   buildFormatDate,
		"intimezone":   buildInTimeZone,
		"timeadd":      buildTimeAdd,
		"timecmp":      buildTimeCmp,
		"parsetime":    buildParseTime,
		"jsondecode":   buildJSONDecode,
		"jsonencode":   buildJSONEncode,
		"base64encode": buildBase64Encode,
		"base64decode": buildBase64Decode,
	}
	for name, sum := range functions.Digests() {
		all[name] = buildDigest(sum)
	}
	return all
})

// findsType says that a builder finds the type of the result and what is wrong with the arguments.
func findsType(name string) bool { return name == "regex" || name == "regexall" }
