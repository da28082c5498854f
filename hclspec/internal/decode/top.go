package decode

// TopBlocks are the blocks that may stand at the top of a file, with their labels.
var TopBlocks = map[string][]string{
	"collect":  nil,
	"variable": {"NAME"},
	"locals":   nil,
	"output":   {"NAME"},
	"provider": {"TYPE"},
	"topic":    {"NAME"},
	"agent":    {"NAME"},
}
