package closure

import "collect/hclspec/internal/value"

// Concat gives texts one after the other.
func Concat(fs []StrFn) *Node {
	return StrNode(func(s *value.Scratch) ([]byte, *value.Error) {
		base := len(s.Parts)
		for _, f := range fs {
			b, err := f(s)
			if err != nil {
				s.Parts = s.Parts[:base]
				return nil, err
			}
			s.Parts = append(s.Parts, b)
		}
		return s.JoinParts(base, nil)
	})
}

// JoinLists gives the texts of all lists with sep between them.
func JoinLists(sep StrFn, lists []ValFn) *Node {
	return StrNode(func(s *value.Scratch) ([]byte, *value.Error) {
		between, err := sep(s)
		if err != nil {
			return nil, err
		}
		base := len(s.Parts)
		for _, f := range lists {
			v, err := f(s)
			if err == nil {
				err = s.PushTexts(v)
			}
			if err != nil {
				s.Parts = s.Parts[:base]
				return nil, err
			}
		}
		return s.JoinParts(base, between)
	})
}
