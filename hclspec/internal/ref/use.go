package ref

import "github.com/hashicorp/hcl/v2"

// Use is one reference that an argument holds.
type Use struct {
	Attr string
	Ref  *Ref
	At   hcl.Range
}
