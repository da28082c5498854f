// Package native is the functions of the language as they work on events: closures over bytes that do not allocate on their usual
// paths. What each gives is what its namesake in package functions gives.
package native

import (
	"sync"

	"collect/hclspec/internal/compile"
	"collect/hclspec/internal/functions"
)

// Table gives the functions by name; nobody writes it.
func Table() map[string]compile.Native { return table() }

var table = sync.OnceValue(func() map[string]compile.Native {
	all := map[string]compile.Native{
		"upper":        {Build: buildUpper},
		"lower":        {Build: buildLower},
		"trim":         {Build: buildTrim},
		"trimspace":    {Build: buildTrimSpace},
		"trimprefix":   {Build: buildTrimPrefix},
		"trimsuffix":   {Build: buildTrimSuffix},
		"replace":      {Build: buildReplace},
		"regexreplace": {Build: buildRegexReplace},
		"substr":       {Build: buildSubstr},
		"split":        {Build: buildSplit},
		"join":         {Build: buildJoin},
		"format":       {Build: buildFormat},
		"strlen":       {Build: buildStrlen},
		"startswith":   {Build: buildTextTest(bytesHasPrefix)},
		"endswith":     {Build: buildTextTest(bytesHasSuffix)},
		"strcontains":  {Build: buildTextTest(bytesContains)},
		"chomp":        {Build: buildChomp},
		"regex":        {Build: buildRegex, Typed: true},
		"regexall":     {Build: buildRegexAll, Typed: true},
		"length":       {Build: buildLength},
		"contains":     {Build: buildContains},
		"element":      {Build: buildElement},
		"lookup":       {Build: buildLookup},
		"coalesce":     {Build: buildCoalesce},
		"abs":          {Build: buildNumber(absolute)},
		"ceil":         {Build: buildNumber(ceiling)},
		"floor":        {Build: buildNumber(floor)},
		"signum":       {Build: buildNumber(signum)},
		"log":          {Build: buildNumber2(logarithm)},
		"pow":          {Build: buildNumber2(power)},
		"max":          {Build: buildExtreme(1)},
		"min":          {Build: buildExtreme(-1)},
		"parseint":     {Build: buildParseInt},
		"tonumber":     {Build: buildToNumber},
		"tostring":     {Build: buildToString},
		"tobool":       {Build: buildToBool},
		"formatdate":   {Build: buildFormatDate},
		"intimezone":   {Build: buildInTimeZone},
		"timeadd":      {Build: buildTimeAdd},
		"timecmp":      {Build: buildTimeCmp},
		"parsetime":    {Build: buildParseTime},
		"jsondecode":   {Build: buildJSONDecode},
		"jsonencode":   {Build: buildJSONEncode},
		"base64encode": {Build: buildBase64Encode},
		"base64decode": {Build: buildBase64Decode},
	}
	for name, sum := range functions.Digests() {
		all[name] = compile.Native{Build: buildDigest(sum)}
	}
	return all
})
