// Package functions is the functions of the language as they work where the configuration is planned: those of the library, bounded where
// a call can give much more than it takes, and ours. Those that read files or the environment are not among them:
// they are in package machine. A new function is a row of the table and a sentence in docs.go; one that events need quickly
// also gets closures in package native.
package functions

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
}

// Table gives the functions by name; nobody writes it.
func Table() map[string]Function { return table() }

// CtyTable is Table as HCL needs it; nobody writes it.
func CtyTable() map[string]function.Function { return ctyTable() }

var ctyTable = sync.OnceValue(func() map[string]function.Function {
	out := map[string]function.Function{}
	for name, f := range table() {
		out[name] = f.Cty
	}
	return out
})

// table is made once, since making it costs more than compiling an expression.
var table = sync.OnceValue(makeTable)

func makeTable() map[string]Function {
	all := map[string]Function{
		"can":          {tryfunc.CanFunc, true},
		"try":          {tryFunc(), true},
		"sensitive":    {sensitiveFunc(), false},
		"nonsensitive": {nonsensitiveFunc(), false},
	}
	for _, some := range []map[string]Function{textFunctions(), collectionFunctions(), numberFunctions(), timeFunctions(), codecFunctions()} {
		maps.Copy(all, some)
	}
	for name, sum := range Digests() {
		all[name] = Function{digestFunc(sum), true}
	}
	return all
}

// textFunctions work on text.
func textFunctions() map[string]Function {
	return map[string]Function{
		"upper":        {stdlib.UpperFunc, true},
		"lower":        {stdlib.LowerFunc, true},
		"title":        {stdlib.TitleFunc, true},
		"trim":         {stdlib.TrimFunc, true},
		"trimspace":    {stdlib.TrimSpaceFunc, true},
		"trimprefix":   {stdlib.TrimPrefixFunc, true},
		"trimsuffix":   {stdlib.TrimSuffixFunc, true},
		"replace":      {replaceFunc(), true},
		"regexreplace": {regexReplaceFunc(), true},
		"substr":       {substrFunc(), true},
		"split":        {stdlib.SplitFunc, true},
		"join":         {joinFunc(), true},
		"format":       {formatFunc(), true},
		"formatlist":   {formatListFunc(), false},
		"strlen":       {stdlib.StrlenFunc, true},
		"startswith":   {textTest(startsWith), true},
		"endswith":     {textTest(endsWith), true},
		"strcontains":  {textTest(strContains), true},
		"indent":       {indentFunc(), true},
		"chomp":        {stdlib.ChompFunc, true},
		"strrev":       {stdlib.ReverseFunc, true},
		"regex":        {regexFunc(), true},
		"regexall":     {regexAllFunc(), true},
	}
}

// collectionFunctions work on lists, sets, maps and objects.
func collectionFunctions() map[string]Function {
	return map[string]Function{
		"length":          {lengthFunc(), true},
		"concat":          {stdlib.ConcatFunc, true},
		"contains":        {stdlib.ContainsFunc, true},
		"distinct":        {distinctFunc(), true},
		"element":         {stdlib.ElementFunc, true},
		"flatten":         {stdlib.FlattenFunc, true},
		"keys":            {stdlib.KeysFunc, true},
		"values":          {stdlib.ValuesFunc, true},
		"lookup":          {lookupFunc(), true},
		"merge":           {stdlib.MergeFunc, true},
		"range":           {stdlib.RangeFunc, false},
		"reverse":         {stdlib.ReverseListFunc, true},
		"setunion":        {stdlib.SetUnionFunc, true},
		"setintersection": {stdlib.SetIntersectionFunc, true},
		"setsubtract":     {stdlib.SetSubtractFunc, true},
		"setproduct":      {setProductFunc(), false},
		"slice":           {stdlib.SliceFunc, true},
		"sort":            {stdlib.SortFunc, true},
		"toset":           {toSetFunc(), true},
		"tolist":          {toListFunc(), true},
		"tomap":           {toMapFunc(), true},
		"zipmap":          {stdlib.ZipmapFunc, true},
		"coalesce":        {coalesceFunc(), true},
		"compact":         {stdlib.CompactFunc, true},
		"index":           {indexFunc(), true},
		"one":             {oneFunc(), true},
		"sum":             {sumFunc(), true},
		"alltrue":         {allTrueFunc(true), true},
		"anytrue":         {allTrueFunc(false), true},
	}
}

// numberFunctions work on numbers and convert plain types.
func numberFunctions() map[string]Function {
	return map[string]Function{
		"abs":      {stdlib.AbsoluteFunc, true},
		"ceil":     {stdlib.CeilFunc, true},
		"floor":    {stdlib.FloorFunc, true},
		"signum":   {stdlib.SignumFunc, true},
		"log":      {stdlib.LogFunc, true},
		"pow":      {stdlib.PowFunc, true},
		"max":      {stdlib.MaxFunc, true},
		"min":      {stdlib.MinFunc, true},
		"parseint": {parseIntFunc(), true},
		"tonumber": {toNumberFunc(), true},
		"tostring": {toStringFunc(), true},
		"tobool":   {toBoolFunc(), true},
		"size":     {sizeFunc(), true},
		"duration": {durationFunc(), true},
	}
}

// timeFunctions work on RFC 3339 times.
func timeFunctions() map[string]Function {
	return map[string]Function{
		"formatdate": {stdlib.FormatDateFunc, true},
		"intimezone": {inTimeZoneFunc(), true},
		"timeadd":    {timeAddFunc(), true},
		"timecmp":    {timeCmpFunc(), true},
		"parsetime":  {parseTimeFunc(), true},
	}
}

// codecFunctions encode and decode.
func codecFunctions() map[string]Function {
	return map[string]Function{
		"jsondecode":   {jsonDecodeFunc(), true},
		"jsonencode":   {jsonEncodeFunc(), true},
		"yamldecode":   {yamlDecodeFunc(), false},
		"yamlencode":   {yamlEncodeFunc(), false},
		"csvdecode":    {csvDecodeFunc(), false},
		"base64encode": {base64EncodeFunc(), true},
		"base64decode": {base64DecodeFunc(), true},
		"urlencode":    {urlEncodeFunc(), true},
		"cidrhost":     {cidrHostFunc(), false},
		"cidrsubnet":   {cidrSubnetFunc(), false},
	}
}
