package anatomy

// pair is one element of two aligned lists: as it was, as it is, or both.
type pair struct{ Was, Is *Part }

// Align pairs the elements of two lists: equal ones in their order, and between them those of one type as changes of each other.
func Align(was, is []Part) []pair {
	// length[i][j] is the longest common subsequence of was[i:] and is[j:].
	length := make([][]int, len(was)+1)
	for i := range length {
		length[i] = make([]int, len(is)+1)
	}
	for i := len(was) - 1; i >= 0; i-- {
		for j := len(is) - 1; j >= 0; j-- {
			if was[i].same(is[j]) {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	var out []pair
	i, j := 0, 0
	fromI, fromJ := 0, 0
	for i < len(was) && j < len(is) {
		switch {
		case was[i].same(is[j]):
			out = append(out, gap(was[fromI:i], is[fromJ:j])...)
			out = append(out, pair{&was[i], &is[j]})
			i, j = i+1, j+1
			fromI, fromJ = i, j
		case length[i+1][j] >= length[i][j+1]:
			i++
		default:
			j++
		}
	}
	return append(out, gap(was[fromI:], is[fromJ:])...)
}

// gap pairs elements of one type in their order; the rest is gone or new.
func gap(was, is []Part) []pair {
	var out []pair
	next := 0
	for j := range is {
		found := -1
		for i := next; i < len(was); i++ {
			if was[i].Type == is[j].Type {
				found = i
				break
			}
		}
		if found < 0 {
			out = append(out, pair{nil, &is[j]})
			continue
		}
		for i := next; i < found; i++ {
			out = append(out, pair{&was[i], nil})
		}
		out = append(out, pair{&was[found], &is[j]})
		next = found + 1
	}
	for i := next; i < len(was); i++ {
		out = append(out, pair{&was[i], nil})
	}
	return out
}
