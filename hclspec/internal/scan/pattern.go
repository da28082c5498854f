package scan

import (
	"regexp/syntax"
	"unicode"
	"unicode/utf8"
)

type patOp uint8

const (
	patSeq  patOp = iota
	patLit        // lit
	patRep        // min to max bytes of set
	patAlt        // one of sub
	patStar       // any number of sub[0], at least min (0 or 1)
	patOpt        // sub[0] or nothing
	patCap        // group n around sub[0]
)

// pat is a pattern that is broken down to bytes.
type pat struct {
	op       patOp
	sub      []*pat
	lit      []byte
	set      [256]bool
	min, max int
	lazy     bool
	n        int
}

// newPat breaks down a sequence; false means that it holds something that bytes cannot decide.
func newPat(res []*syntax.Regexp) (*pat, bool) {
	p := &pat{op: patSeq}
	for _, re := range res {
		q, ok := onePat(re)
		if !ok {
			return nil, false
		}
		p.sub = append(p.sub, q)
	}
	return p, true
}

func onePat(re *syntax.Regexp) (*pat, bool) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return &pat{op: patSeq}, true
	case syntax.OpLiteral:
		return litPat(re)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return repPat(re, 1, 1, false)
	case syntax.OpConcat:
		return newPat(re.Sub)
	case syntax.OpCapture:
		q, ok := onePat(re.Sub[0])
		return &pat{op: patCap, n: re.Cap, sub: []*pat{q}}, ok
	case syntax.OpAlternate:
		p := &pat{op: patAlt}
		for _, s := range re.Sub {
			q, ok := onePat(s)
			if !ok {
				return nil, false
			}
			p.sub = append(p.sub, q)
		}
		return p, true
	case syntax.OpStar:
		return loopPat(re, 0, -1)
	case syntax.OpPlus:
		return loopPat(re, 1, -1)
	case syntax.OpQuest:
		return loopPat(re, 0, 1)
	case syntax.OpRepeat:
		return loopPat(re, re.Min, re.Max)
	}
	return nil, false
}

// litPat makes a literal; letters whose case does not matter become classes, as long as all their forms are ASCII.
func litPat(re *syntax.Regexp) (*pat, bool) {
	p := &pat{op: patSeq}
	for _, r := range re.Rune {
		if r == utf8.RuneError {
			return nil, false // it matches bytes that are not UTF-8, too
		}
		if re.Flags&syntax.FoldCase == 0 || unicode.SimpleFold(r) == r {
			last := len(p.sub) - 1
			if last < 0 || p.sub[last].op != patLit {
				p.sub = append(p.sub, &pat{op: patLit})
				last++
			}
			p.sub[last].lit = utf8.AppendRune(p.sub[last].lit, r)
			continue
		}
		q := &pat{op: patRep, min: 1, max: 1}
		for f := r; ; {
			if f >= utf8.RuneSelf {
				return nil, false
			}
			q.set[f] = true
			if f = unicode.SimpleFold(f); f == r {
				break
			}
		}
		p.sub = append(p.sub, q)
	}
	return p, true
}

// classSet gives the bytes of a class, and whether all text beyond ASCII is in it; false for a class that holds only some of it.
func classSet(re *syntax.Regexp) (set [256]bool, wide, ok bool) {
	ranges := re.Rune
	switch re.Op {
	case syntax.OpAnyChar:
		ranges = []rune{0, unicode.MaxRune}
	case syntax.OpAnyCharNotNL:
		ranges = []rune{0, '\n' - 1, '\n' + 1, unicode.MaxRune}
	}
	for i := 0; i < len(ranges); i += 2 {
		lo, hi := ranges[i], ranges[i+1]
		for r := lo; r <= hi && r < utf8.RuneSelf; r++ {
			set[r] = true
		}
		if hi < utf8.RuneSelf {
			continue
		}
		if lo > utf8.RuneSelf || hi != unicode.MaxRune {
			return set, false, false
		}
		wide = true
		for b := utf8.RuneSelf; b < 256; b++ {
			set[b] = true
		}
	}
	return set, wide, true
}

func isClass(re *syntax.Regexp) bool {
	return re.Op == syntax.OpCharClass || re.Op == syntax.OpAnyChar || re.Op == syntax.OpAnyCharNotNL
}

// repPat makes a run of a class. Where characters may be several bytes long only a run of any length has the same end.
func repPat(re *syntax.Regexp, lo, hi int, lazy bool) (*pat, bool) {
	set, wide, ok := classSet(re)
	if !ok || wide && (hi >= 0 || lo > 1) {
		return nil, false
	}
	return &pat{op: patRep, set: set, min: lo, max: hi, lazy: lazy}, true
}

func loopPat(re *syntax.Regexp, lo, hi int) (*pat, bool) {
	sub, lazy := re.Sub[0], re.Flags&syntax.NonGreedy != 0
	if sub.Op == syntax.OpLiteral && len(sub.Rune) == 1 && sub.Rune[0] < utf8.RuneSelf && sub.Flags&syntax.FoldCase == 0 {
		p := &pat{op: patRep, min: lo, max: hi, lazy: lazy}
		p.set[sub.Rune[0]] = true
		return p, true
	}
	if isClass(sub) {
		return repPat(sub, lo, hi, lazy)
	}
	q, ok := onePat(sub)
	switch {
	case !ok || q.nullable():
		return nil, false
	case lo == 0 && hi == 1:
		return &pat{op: patOpt, sub: []*pat{q}}, true
	case lo <= 1 && hi < 0:
		return &pat{op: patStar, min: lo, sub: []*pat{q}}, true
	case lo == hi && lo <= 8:
		p := &pat{op: patSeq}
		for range lo {
			p.sub = append(p.sub, q)
		}
		return p, true
	}
	return nil, false
}

// nullable says whether a pattern can match nothing.
func (p *pat) nullable() bool {
	switch p.op {
	case patLit:
		return len(p.lit) == 0
	case patRep, patStar:
		return p.min == 0
	case patOpt:
		return true
	case patAlt:
		for _, q := range p.sub {
			if q.nullable() {
				return true
			}
		}
		return false
	}
	for _, q := range p.sub {
		if !q.nullable() {
			return false
		}
	}
	return true
}

// first gives the bytes that a pattern can begin with.
func (p *pat) first() (set [256]bool) {
	switch p.op {
	case patLit:
		if len(p.lit) > 0 {
			set[p.lit[0]] = true
		}
		return set
	case patRep:
		return p.set
	}
	for _, q := range p.sub {
		set = union(set, q.first())
		if p.op == patSeq && !q.nullable() {
			break
		}
	}
	return set
}

// prefix gives the literal that every match begins with.
func (p *pat) prefix() []byte {
	switch p.op {
	case patLit:
		return p.lit
	case patSeq, patCap:
		if len(p.sub) > 0 {
			return p.sub[0].prefix()
		}
	}
	return nil
}

func union(a, b [256]bool) [256]bool {
	for i := range b {
		a[i] = a[i] || b[i]
	}
	return a
}

func overlap(a, b *[256]bool) bool {
	for i := range a {
		if a[i] && b[i] {
			return true
		}
	}
	return false
}

// edge is what can come after a pattern: a byte, the end of the text as $ wants it, or anything because the match is complete.
type edge struct {
	set         [256]bool
	accept, eof bool
}

// before gives what comes after a pattern that stands in front of p.
func (f edge) before(p *pat) edge {
	if !p.nullable() {
		return edge{set: p.first()}
	}
	f.set = union(f.set, p.first())
	return f
}

type scanBuilder struct{ ops []scanOp }

func (b *scanBuilder) add(op scanOp) int {
	b.ops = append(b.ops, op)
	return len(b.ops) - 1
}

// emit writes the operations of a pattern; false means that the next byte does not decide, or that there are too many.
func (b *scanBuilder) emit(p *pat, f edge) bool {
	if len(b.ops) > maxScanOps {
		return false
	}
	switch p.op {
	case patLit:
		b.add(scanOp{code: scanLit, lit: p.lit})
		return true
	case patRep:
		// With a free length the run must end where it has to: at a byte that cannot belong to what follows.
		if p.min != p.max && (overlap(&p.set, &f.set) || p.lazy && f.accept) {
			return false
		}
		b.add(scanOp{code: scanRep, set: &p.set, min: p.min, max: p.max})
		return true
	case patCap:
		b.add(scanOp{code: scanSave, n: 2 * p.n})
		ok := b.emit(p.sub[0], f)
		b.add(scanOp{code: scanSave, n: 2*p.n + 1})
		return ok
	case patAlt:
		return b.alt(p.sub, f)
	case patOpt:
		return b.alt([]*pat{p.sub[0], {op: patSeq}}, f)
	case patStar:
		return b.star(p, f)
	}
	for i, q := range p.sub {
		after := f
		for j := len(p.sub) - 1; j > i; j-- {
			after = after.before(p.sub[j])
		}
		if !b.emit(q, after) {
			return false
		}
	}
	return true
}

// alt writes alternatives. One of them may match nothing; then the byte after must tell, so the match may not be complete there.
func (b *scanBuilder) alt(subs []*pat, f edge) bool {
	sw := b.add(scanOp{code: scanSwitch, table: new([256]uint8)})
	var taken [256]bool
	var jumps []int
	empty := false
	for _, q := range subs {
		set := q.first()
		if q.nullable() {
			if empty || f.accept {
				return false
			}
			empty = true
			set = union(set, f.set)
		}
		if overlap(&set, &taken) {
			return false
		}
		taken = union(taken, set)
		at := len(b.ops)
		if at >= maxScanOps {
			return false
		}
		for c, in := range set {
			if in {
				b.ops[sw].table[c] = uint8(at)
			}
		}
		if q.nullable() && f.eof {
			b.ops[sw].n = at
		}
		if !b.emit(q, f) {
			return false
		}
		jumps = append(jumps, b.add(scanOp{code: scanJump}))
	}
	for _, j := range jumps {
		b.ops[j].n = len(b.ops)
	}
	return true
}

// star writes a loop around a pattern that matches something.
func (b *scanBuilder) star(p *pat, f edge) bool {
	q := p.sub[0]
	set := q.first()
	if f.accept || overlap(&set, &f.set) {
		return false
	}
	again := f
	again.set = union(again.set, set)
	if p.min == 1 && !b.emit(q, again) {
		return false
	}
	loop := b.add(scanOp{code: scanSwitch, table: new([256]uint8)})
	body := len(b.ops)
	if !b.emit(q, again) {
		return false
	}
	b.add(scanOp{code: scanJump, n: loop})
	out := len(b.ops)
	if out >= maxScanOps {
		return false
	}
	for c := range 256 {
		switch {
		case set[c]:
			b.ops[loop].table[c] = uint8(body)
		case f.set[c]:
			b.ops[loop].table[c] = uint8(out)
		}
	}
	if f.eof {
		b.ops[loop].n = out
	}
	return true
}
