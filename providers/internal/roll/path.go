package roll

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"collect/hclspec/expr"
	"collect/hclspec/schema"
	"collect/runtime/flow"
)

// Path is a path expression, split into a constant root and segments below it.
//
// In a value that comes from an event these are written as %XX: slash, backslash, percent, control bytes, bytes that are not UTF-8,
// invisible and bidirectional controls, and in HDFS the colon. An empty segment is "%empty", "." and ".." are "%2E" and "%2E%2E", and a
// segment over 150 bytes ends in a hash of the whole. Different values give different segments.
type Path struct {
	Scheme string // "file", "hdfs"
	Host   string // of hdfs://host:port,host:port/…
	Root   string // absolute, clean
	Bare   bool   // written without file:// or hdfs://
	segs   [][]piece
	colon  bool // escape colons
	konst  string
}

type piece struct {
	text string
	prog *expr.Program
}

// maxSegment leaves room for the unique part of a name within the 255 bytes that file systems take.
const maxSegment = 150

// ParsePath compiles a path. Its last segment is a file's name when file is set, else a directory's.
func ParsePath(e schema.Expr, file bool) (*Path, error) {
	if !e.IsSet() {
		return nil, errors.New("path is missing")
	}
	prog, err := expr.Compile(e, expr.TypeString)
	if err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	pieces, err := flatten(prog)
	if err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	p := &Path{Scheme: "file"}
	prefix := ""
	if len(pieces) > 0 && pieces[0].prog == nil {
		prefix, pieces = pieces[0].text, pieces[1:]
	}
	if prefix, err = p.scheme(prefix); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(prefix, "/") {
		return nil, errors.New("path must begin with a constant, absolute directory, which events cannot leave: begin it with \"${path.data}/\"")
	}
	if err := noDots(prefix); err != nil {
		return nil, err
	}
	if len(pieces) == 0 {
		return p.constant(prefix, file)
	}
	cut := strings.LastIndexByte(prefix, '/')
	p.Root = path.Clean(prefix[:cut+1])
	if p.Root == "/" && p.Scheme == "file" {
		return nil, errors.New("path: the directory that events cannot leave would be /: put a constant directory before the first part that depends on the event")
	}
	return p, p.split(append([]piece{{text: prefix[cut+1:]}}, pieces...))
}

// flatten gives the pieces of a template, constant ones joined.
func flatten(prog *expr.Program) ([]piece, error) {
	var out []piece
	for _, part := range prog.Parts() {
		pc := piece{text: part.Literal, prog: part.Program}
		if pc.prog != nil && pc.prog.IsConst() {
			var s expr.Scratch
			b, err := pc.prog.Bytes(nil, &s)
			if err != nil {
				return nil, err
			}
			pc = piece{text: string(b)}
		}
		if n := len(out); n > 0 && pc.prog == nil && out[n-1].prog == nil {
			out[n-1].text += pc.text
			continue
		}
		out = append(out, pc)
	}
	return out, nil
}

// scheme takes "file://" or "hdfs://host" off the constant beginning.
func (p *Path) scheme(prefix string) (string, error) {
	scheme, rest, ok := strings.Cut(prefix, "://")
	if !ok {
		p.Bare = true
		return prefix, nil
	}
	p.Scheme = scheme
	switch scheme {
	case "file":
		return rest, nil
	case "hdfs":
		i := strings.IndexByte(rest, '/')
		if i <= 0 {
			return "", fmt.Errorf("path %q must name a host and a directory: hdfs://namenode:8020/directory", prefix)
		}
		p.Host, p.colon = rest[:i], true
		return rest[i:], nil
	}
	return "", fmt.Errorf("path: %s:// is not known: use file:// or hdfs://", scheme)
}

func noDots(s string) error {
	for seg := range strings.SplitSeq(s, "/") {
		if seg == "." || seg == ".." {
			return fmt.Errorf("path must not hold %q", seg)
		}
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		return errors.New("path must not hold control characters")
	}
	return nil
}

func (p *Path) constant(full string, file bool) (*Path, error) {
	if !file {
		p.Root = path.Clean(full)
		return p, nil
	}
	if strings.HasSuffix(full, "/") {
		return nil, fmt.Errorf("path %q is a directory: it must end in a file name", full)
	}
	p.Root, p.konst = path.Split(path.Clean(full))
	p.Root = path.Clean(p.Root)
	if len(p.konst) > 200 {
		return nil, fmt.Errorf("path: the file name %q is longer than 200 bytes", p.konst)
	}
	return p, nil
}

// split cuts the pieces at the slashes of constant text.
func (p *Path) split(pieces []piece) error {
	var seg []piece
	for _, pc := range pieces {
		if pc.prog != nil {
			seg = append(seg, pc)
			continue
		}
		if err := noDots(pc.text); err != nil {
			return err
		}
		for i, text := range strings.Split(pc.text, "/") {
			if i > 0 && len(seg) > 0 {
				p.segs = append(p.segs, seg)
				seg = nil
			}
			if text != "" {
				seg = append(seg, piece{text: text})
			}
		}
	}
	if len(seg) > 0 {
		p.segs = append(p.segs, seg)
	}
	return nil
}

// IsConst says whether every event has the same path.
func (p *Path) IsConst() bool { return len(p.segs) == 0 }

// URL gives the root as users write it.
func (p *Path) URL() string {
	if p.Scheme == "hdfs" {
		return "hdfs://" + p.Host + p.Root
	}
	return "file://" + p.Root
}

// Append appends the event's path below the root, without a leading slash.
func (p *Path) Append(dst []byte, ev *flow.Event, s *expr.Scratch) ([]byte, error) {
	if len(p.segs) == 0 {
		return append(dst, p.konst...), nil
	}
	for i, seg := range p.segs {
		if i > 0 {
			dst = append(dst, '/')
		}
		start := len(dst)
		for _, pc := range seg {
			if pc.prog == nil {
				dst = append(dst, pc.text...)
				continue
			}
			v, err := pc.prog.Bytes(ev, s)
			if err != nil {
				return dst[:start], err
			}
			dst = p.escape(dst, v)
		}
		dst = finish(dst, start)
	}
	return dst, nil
}

// escape appends a value so that it is a piece of one segment.
func (p *Path) escape(dst, v []byte) []byte {
	for i := 0; i < len(v); {
		c := v[i]
		if c < utf8.RuneSelf {
			if c < 0x20 || c == 0x7f || c == '/' || c == '\\' || c == '%' || c == ':' && p.colon {
				dst = percent(dst, c)
			} else {
				dst = append(dst, c)
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(v[i:])
		if r == utf8.RuneError && n == 1 || !unicode.IsPrint(r) {
			for _, c := range v[i : i+n] {
				dst = percent(dst, c)
			}
		} else {
			dst = append(dst, v[i:i+n]...)
		}
		i += n
	}
	return dst
}

func percent(dst []byte, c byte) []byte {
	const digits = "0123456789ABCDEF"
	return append(dst, '%', digits[c>>4], digits[c&15])
}

// finish mends a whole segment: dots, nothing, and what is too long.
func finish(dst []byte, start int) []byte {
	switch seg := dst[start:]; {
	case len(seg) == 0:
		return append(dst, "%empty"...)
	case string(seg) == ".":
		return append(dst[:start], "%2E"...)
	case string(seg) == "..":
		return append(dst[:start], "%2E%2E"...)
	case len(seg) > maxSegment:
		sum := sha256.Sum256(seg)
		cut := start + maxSegment - 1 - 32
		for cut > start && !utf8.RuneStart(dst[cut]) {
			cut--
		}
		dst = append(dst[:cut], '%')
		return hex.AppendEncode(dst, sum[:16])
	}
	return dst
}
