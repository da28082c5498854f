// Package decode turns the body of a block into a [schema.Config], as the block's schema says: values in their canonical form,
// references, secrets put away, and expressions that depend on the event as residuals.
package decode

import "collect/hclspec/internal/names"

// Decoder is what decoding needs besides names.
type Decoder struct {
	*names.Names
	Root, DataDir string // of the installation
	TimeZone      string
	Fingerprint   func(secret string) string
}
