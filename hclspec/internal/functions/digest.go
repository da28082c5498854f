package functions

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"

	"github.com/zclconf/go-cty/cty/function"
)

// Digest appends the hexadecimal digest of a text. These are identifiers, not protection: md5 and sha1 are here for keys that
// other systems expect.
type Digest func(out, b []byte) []byte

// Digests gives the digests by the names of their functions.
func Digests() map[string]Digest {
	return map[string]Digest{
		"md5":    func(out, b []byte) []byte { sum := md5.Sum(b); return hex.AppendEncode(out, sum[:]) },
		"sha1":   func(out, b []byte) []byte { sum := sha1.Sum(b); return hex.AppendEncode(out, sum[:]) },
		"sha256": func(out, b []byte) []byte { sum := sha256.Sum256(b); return hex.AppendEncode(out, sum[:]) },
		"sha512": func(out, b []byte) []byte { sum := sha512.Sum512(b); return hex.AppendEncode(out, sum[:]) },
	}
}

func digestFunc(sum Digest) function.Function {
	return textFunc([]string{"str"}, func(a []string) (string, error) { return string(sum(nil, []byte(a[0]))), nil })
}
