package expr

import (
	"maps"
	"sync"

	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// Function is a function of the language.
type Function struct {
	Cty       function.Function // evaluates it where the configuration is planned
	EventSafe bool              // it may be used in expressions that depend on the event
	build     builder           // its closures; nil: Cty is called for each event
	typed     bool              // build finds the type of the result and what is wrong with the arguments
}

type mark string

// Sensitive marks values that no output, plan or per-event expression may show. The language marks what env(), secretfile() and
// sensitive variables give.
const Sensitive = mark("sensitive")

// Functions gives the functions that the language has everywhere, by name. Those that read files or the environment are not
// among them: package hclspec adds them.
func Functions() map[string]Function { return maps.Clone(table()) }

// table is made once: it is never changed, and making it costs more than compiling an expression.
var table = sync.OnceValue(makeTable)

func makeTable() map[string]Function {
	all := map[string]Function{}
	add := func(m map[string]Function) {
		for name, f := range m {
			all[name] = f
		}
	}
	add(textFunctions())
	add(collectionFunctions())
	add(numberFunctions())
	add(timeFunctions())
	add(codecFunctions())
	add(map[string]Function{
		"can":          {Cty: tryfunc.CanFunc, EventSafe: true},
		"try":          {Cty: tryFunc(), EventSafe: true},
		"sensitive":    {Cty: sensitiveFunc()},
		"nonsensitive": {Cty: nonsensitiveFunc()},
	})
	return all
}

// textFunctions work on text.
func textFunctions() map[string]Function {
	return map[string]Function{
		"upper":        {stdlib.UpperFunc, true, buildUpper, false},
		"lower":        {stdlib.LowerFunc, true, buildLower, false},
		"title":        {stdlib.TitleFunc, true, nil, false},
		"trim":         {stdlib.TrimFunc, true, buildTrim, false},
		"trimspace":    {stdlib.TrimSpaceFunc, true, buildTrimSpace, false},
		"trimprefix":   {stdlib.TrimPrefixFunc, true, buildTrimPrefix, false},
		"trimsuffix":   {stdlib.TrimSuffixFunc, true, buildTrimSuffix, false},
		"replace":      {replaceFunc(), true, buildReplace, false},
		"regexreplace": {regexReplaceFunc(), true, buildRegexReplace, false},
		"substr":       {substrFunc(), true, buildSubstr, false},
		"split":        {stdlib.SplitFunc, true, buildSplit, false},
		"join":         {joinFunc(), true, buildJoin, false},
		"format":       {formatFunc(), true, buildFormat, false},
		"formatlist":   {formatListFunc(), false, nil, false},
		"strlen":       {stdlib.StrlenFunc, true, buildStrlen, false},
		"startswith":   {textTest(startsWith), true, buildTextTest(bytesHasPrefix), false},
		"endswith":     {textTest(endsWith), true, buildTextTest(bytesHasSuffix), false},
		"strcontains":  {textTest(strContains), true, buildTextTest(bytesContains), false},
		"indent":       {indentFunc(), true, nil, false},
		"chomp":        {stdlib.ChompFunc, true, buildChomp, false},
		"strrev":       {stdlib.ReverseFunc, true, nil, false},
		"regex":        {regexFunc(), true, buildRegex, true},
		"regexall":     {regexAllFunc(), true, buildRegexAll, true},
	}
}

// collectionFunctions work on lists, sets, maps and objects.
func collectionFunctions() map[string]Function {
	return map[string]Function{
		"length":          {lengthFunc(), true, buildLength, false},
		"concat":          {stdlib.ConcatFunc, true, nil, false},
		"contains":        {stdlib.ContainsFunc, true, buildContains, false},
		"distinct":        {distinctFunc(), true, nil, false},
		"element":         {stdlib.ElementFunc, true, buildElement, false},
		"flatten":         {stdlib.FlattenFunc, true, nil, false},
		"keys":            {stdlib.KeysFunc, true, nil, false},
		"values":          {stdlib.ValuesFunc, true, nil, false},
		"lookup":          {lookupFunc(), true, buildLookup, false},
		"merge":           {stdlib.MergeFunc, true, nil, false},
		"range":           {stdlib.RangeFunc, false, nil, false},
		"reverse":         {stdlib.ReverseListFunc, true, nil, false},
		"setunion":        {stdlib.SetUnionFunc, true, nil, false},
		"setintersection": {stdlib.SetIntersectionFunc, true, nil, false},
		"setsubtract":     {stdlib.SetSubtractFunc, true, nil, false},
		"setproduct":      {setProductFunc(), false, nil, false},
		"slice":           {stdlib.SliceFunc, true, nil, false},
		"sort":            {stdlib.SortFunc, true, nil, false},
		"toset":           {toSetFunc(), true, nil, false},
		"tolist":          {toListFunc(), true, nil, false},
		"tomap":           {toMapFunc(), true, nil, false},
		"zipmap":          {stdlib.ZipmapFunc, true, nil, false},
		"coalesce":        {coalesceFunc(), true, buildCoalesce, false},
		"compact":         {stdlib.CompactFunc, true, nil, false},
		"index":           {indexFunc(), true, nil, false},
		"one":             {oneFunc(), true, nil, false},
		"sum":             {sumFunc(), true, nil, false},
		"alltrue":         {allTrueFunc(true), true, nil, false},
		"anytrue":         {allTrueFunc(false), true, nil, false},
	}
}

// numberFunctions work on numbers and convert plain types.
func numberFunctions() map[string]Function {
	return map[string]Function{
		"abs":      {stdlib.AbsoluteFunc, true, buildNumber(absolute), false},
		"ceil":     {stdlib.CeilFunc, true, buildNumber(ceiling), false},
		"floor":    {stdlib.FloorFunc, true, buildNumber(floor), false},
		"signum":   {stdlib.SignumFunc, true, buildNumber(signum), false},
		"log":      {stdlib.LogFunc, true, buildNumber2(logarithm), false},
		"pow":      {stdlib.PowFunc, true, buildNumber2(power), false},
		"max":      {stdlib.MaxFunc, true, buildExtreme(1), false},
		"min":      {stdlib.MinFunc, true, buildExtreme(-1), false},
		"parseint": {parseIntFunc(), true, buildParseInt, false},
		"tonumber": {toNumberFunc(), true, buildToNumber, false},
		"tostring": {toStringFunc(), true, buildToString, false},
		"tobool":   {toBoolFunc(), true, buildToBool, false},
		"size":     {sizeFunc(), true, nil, false},
		"duration": {durationFunc(), true, nil, false},
	}
}

// timeFunctions work on RFC 3339 times.
func timeFunctions() map[string]Function {
	return map[string]Function{
		"formatdate": {stdlib.FormatDateFunc, true, buildFormatDate, false},
		"intimezone": {inTimeZoneFunc(), true, buildInTimeZone, false},
		"timeadd":    {timeAddFunc(), true, buildTimeAdd, false},
		"timecmp":    {timeCmpFunc(), true, buildTimeCmp, false},
		"parsetime":  {parseTimeFunc(), true, buildParseTime, false},
	}
}

// codecFunctions encode, decode and digest.
func codecFunctions() map[string]Function {
	return map[string]Function{
		"jsondecode":   {jsonDecodeFunc(), true, buildJSONDecode, false},
		"jsonencode":   {jsonEncodeFunc(), true, buildJSONEncode, false},
		"yamldecode":   {yamlDecodeFunc(), false, nil, false},
		"yamlencode":   {yamlEncodeFunc(), false, nil, false},
		"csvdecode":    {csvDecodeFunc(), false, nil, false},
		"md5":          {digestFunc(appendMD5), true, buildDigest(appendMD5), false},
		"sha1":         {digestFunc(appendSHA1), true, buildDigest(appendSHA1), false},
		"sha256":       {digestFunc(appendSHA256), true, buildDigest(appendSHA256), false},
		"sha512":       {digestFunc(appendSHA512), true, buildDigest(appendSHA512), false},
		"base64encode": {base64EncodeFunc(), true, buildBase64Encode, false},
		"base64decode": {base64DecodeFunc(), true, buildBase64Decode, false},
		"urlencode":    {urlEncodeFunc(), true, nil, false},
		"cidrhost":     {cidrHostFunc(), false, nil, false},
		"cidrsubnet":   {cidrSubnetFunc(), false, nil, false},
	}
}
