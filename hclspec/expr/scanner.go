package expr

// scanner is a quick matcher for simple patterns.
type scanner struct{}

func newScanner(string) *scanner { return nil }

func (sc *scanner) match([]byte) (ok, sure bool) { return false, false }

func (sc *scanner) find([]byte, *Scratch) (caps []int, sure bool) { return nil, false }
