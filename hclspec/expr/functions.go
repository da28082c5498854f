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
		"try":          {Cty: tryfunc.TryFunc, EventSafe: true},
		"sensitive":    {Cty: sensitiveFunc()},
		"nonsensitive": {Cty: nonsensitiveFunc()},
	})
	return all
}

// textFunctions work on text.
func textFunctions() map[string]Function {
	return map[string]Function{
		"upper":        {stdlib.UpperFunc, true, buildUpper},
		"lower":        {stdlib.LowerFunc, true, buildLower},
		"title":        {stdlib.TitleFunc, true, nil},
		"trim":         {stdlib.TrimFunc, true, buildTrim},
		"trimspace":    {stdlib.TrimSpaceFunc, true, buildTrimSpace},
		"trimprefix":   {stdlib.TrimPrefixFunc, true, buildTrimPrefix},
		"trimsuffix":   {stdlib.TrimSuffixFunc, true, buildTrimSuffix},
		"replace":      {replaceFunc(), true, buildReplace},
		"regexreplace": {regexReplaceFunc(), true, buildRegexReplace},
		"substr":       {substrFunc(), true, buildSubstr},
		"split":        {stdlib.SplitFunc, true, buildSplit},
		"join":         {stdlib.JoinFunc, true, buildJoin},
		"format":       {stdlib.FormatFunc, true, buildFormat},
		"formatlist":   {stdlib.FormatListFunc, false, nil},
		"strlen":       {stdlib.StrlenFunc, true, buildStrlen},
		"startswith":   {textTest(startsWith), true, buildTextTest(bytesHasPrefix)},
		"endswith":     {textTest(endsWith), true, buildTextTest(bytesHasSuffix)},
		"strcontains":  {textTest(strContains), true, buildTextTest(bytesContains)},
		"indent":       {stdlib.IndentFunc, true, nil},
		"chomp":        {stdlib.ChompFunc, true, buildChomp},
		"strrev":       {stdlib.ReverseFunc, true, nil},
		"regex":        {regexFunc(), true, buildRegex},
		"regexall":     {regexAllFunc(), true, buildRegexAll},
	}
}

// collectionFunctions work on lists, sets, maps and objects.
func collectionFunctions() map[string]Function {
	return map[string]Function{
		"length":          {lengthFunc(), true, buildLength},
		"concat":          {stdlib.ConcatFunc, true, nil},
		"contains":        {stdlib.ContainsFunc, true, buildContains},
		"distinct":        {stdlib.DistinctFunc, true, nil},
		"element":         {stdlib.ElementFunc, true, buildElement},
		"flatten":         {stdlib.FlattenFunc, true, nil},
		"keys":            {stdlib.KeysFunc, true, nil},
		"values":          {stdlib.ValuesFunc, true, nil},
		"lookup":          {lookupFunc(), true, buildLookup},
		"merge":           {stdlib.MergeFunc, true, nil},
		"range":           {stdlib.RangeFunc, false, nil},
		"reverse":         {stdlib.ReverseListFunc, true, nil},
		"setunion":        {stdlib.SetUnionFunc, true, nil},
		"setintersection": {stdlib.SetIntersectionFunc, true, nil},
		"setsubtract":     {stdlib.SetSubtractFunc, true, nil},
		"setproduct":      {stdlib.SetProductFunc, false, nil},
		"slice":           {stdlib.SliceFunc, true, nil},
		"sort":            {stdlib.SortFunc, true, nil},
		"toset":           {toSetFunc(), true, nil},
		"tolist":          {toListFunc(), true, nil},
		"tomap":           {toMapFunc(), true, nil},
		"zipmap":          {stdlib.ZipmapFunc, true, nil},
		"coalesce":        {coalesceFunc(), true, buildCoalesce},
		"compact":         {stdlib.CompactFunc, true, nil},
		"index":           {stdlib.IndexFunc, true, nil},
		"one":             {oneFunc(), true, nil},
		"sum":             {sumFunc(), true, nil},
		"alltrue":         {allTrueFunc(true), true, nil},
		"anytrue":         {allTrueFunc(false), true, nil},
	}
}

// numberFunctions work on numbers and convert plain types.
func numberFunctions() map[string]Function {
	return map[string]Function{
		"abs":      {stdlib.AbsoluteFunc, true, buildNumber(absolute)},
		"ceil":     {stdlib.CeilFunc, true, buildNumber(ceiling)},
		"floor":    {stdlib.FloorFunc, true, buildNumber(floor)},
		"signum":   {stdlib.SignumFunc, true, buildNumber(signum)},
		"log":      {stdlib.LogFunc, true, buildNumber2(logarithm)},
		"pow":      {stdlib.PowFunc, true, buildNumber2(power)},
		"max":      {stdlib.MaxFunc, true, buildExtreme(1)},
		"min":      {stdlib.MinFunc, true, buildExtreme(-1)},
		"parseint": {stdlib.ParseIntFunc, true, buildParseInt},
		"tonumber": {toNumberFunc(), true, buildToNumber},
		"tostring": {toStringFunc(), true, buildToString},
		"tobool":   {toBoolFunc(), true, buildToBool},
		"size":     {sizeFunc(), true, nil},
		"duration": {durationFunc(), true, nil},
	}
}

// timeFunctions work on RFC 3339 times.
func timeFunctions() map[string]Function {
	return map[string]Function{
		"formatdate": {stdlib.FormatDateFunc, true, buildFormatDate},
		"intimezone": {inTimeZoneFunc(), true, buildInTimeZone},
		"timeadd":    {timeAddFunc(), true, buildTimeAdd},
		"timecmp":    {timeCmpFunc(), true, buildTimeCmp},
		"parsetime":  {parseTimeFunc(), true, buildParseTime},
	}
}

// codecFunctions encode, decode and digest.
func codecFunctions() map[string]Function {
	return map[string]Function{
		"jsondecode":   {jsonDecodeFunc(), true, buildJSONDecode},
		"jsonencode":   {jsonEncodeFunc(), true, buildJSONEncode},
		"yamldecode":   {yamlDecodeFunc(), false, nil},
		"yamlencode":   {yamlEncodeFunc(), false, nil},
		"csvdecode":    {csvDecodeFunc(), false, nil},
		"md5":          {digestFunc(appendMD5), true, buildDigest(appendMD5)},
		"sha1":         {digestFunc(appendSHA1), true, buildDigest(appendSHA1)},
		"sha256":       {digestFunc(appendSHA256), true, buildDigest(appendSHA256)},
		"sha512":       {digestFunc(appendSHA512), true, buildDigest(appendSHA512)},
		"base64encode": {base64EncodeFunc(), true, buildBase64Encode},
		"base64decode": {base64DecodeFunc(), true, buildBase64Decode},
		"urlencode":    {urlEncodeFunc(), true, nil},
		"cidrhost":     {cidrHostFunc(), false, nil},
		"cidrsubnet":   {cidrSubnetFunc(), false, nil},
	}
}
