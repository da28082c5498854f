package call

import (
	"errors"
	"strings"

	"github.com/urfave/cli/v2"

	"collect/hclspec"
)

// varFlag collects -var, varFileFlag -var-file, in the order in which they were given: the last one wins.
type varFlag struct{ into *[]hclspec.Value }

// Set takes NAME=VALUE.
func (f varFlag) Set(s string) error {
	name, text, ok := strings.Cut(s, "=")
	if !ok || strings.TrimSpace(name) == "" {
		return errors.New("-var takes NAME=VALUE, such as -var 'hours=2'")
	}
	*f.into = append(*f.into, hclspec.Value{Name: strings.TrimSpace(name), Text: text})
	return nil
}

func (f varFlag) String() string { return "" }

type varFileFlag struct{ into *[]hclspec.Value }

// Set takes a file name.
func (f varFileFlag) Set(s string) error {
	*f.into = append(*f.into, hclspec.Value{File: s})
	return nil
}

func (f varFileFlag) String() string { return "" }

// ValueFlags are the options of every command that evaluates the configuration.
func (c *Call) ValueFlags() []cli.Flag {
	return []cli.Flag{
		&cli.GenericFlag{Name: "var", Usage: "value of a variable: `NAME=VALUE` (repeatable)", Value: varFlag{&c.Vars}},
		&cli.GenericFlag{Name: "var-file", Usage: "`FILE` with values of variables (repeatable)", Value: varFileFlag{&c.Vars}},
		NoColorFlag(),
	}
}
