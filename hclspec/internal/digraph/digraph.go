// Package digraph finds circles in directed graphs whose nodes have names.
package digraph

type digraph struct {
	edges [][2]string
	ids   map[string]int
	out   [][]int // edges that leave a node, by number
}

func newDigraph(edges [][2]string) *digraph {
	g := &digraph{edges: edges, ids: map[string]int{}}
	id := func(s string) int {
		n, ok := g.ids[s]
		if !ok {
			n = len(g.out)
			g.ids[s] = n
			g.out = append(g.out, nil)
		}
		return n
	}
	for i, e := range edges {
		from := id(e[0])
		id(e[1])
		g.out[from] = append(g.out[from], i)
	}
	return g
}

// Cycles walks a graph of edges (from, to) in depth, without recursion, and gives for each edge that closes a circle of nodes not
// given yet the numbers of the edges of that circle.
func Cycles(edges [][2]string) [][]int {
	g := newDigraph(edges)
	var found [][]int
	const (
		white = iota
		grey
		black
	)
	colour := make([]byte, len(g.out))
	given := make([]bool, len(g.out))
	type frame struct{ node, next int }
	var path []int // edges from the first node of the stack
	for start := range g.out {
		if colour[start] != white {
			continue
		}
		stack := []frame{{node: start}}
		colour[start] = grey
		for len(stack) > 0 {
			f := &stack[len(stack)-1]
			if f.next == len(g.out[f.node]) {
				colour[f.node] = black
				stack = stack[:len(stack)-1]
				if len(path) > 0 {
					path = path[:len(path)-1]
				}
				continue
			}
			e := g.out[f.node][f.next]
			f.next++
			to := g.ids[g.edges[e][1]]
			switch colour[to] {
			case white:
				colour[to] = grey
				path = append(path, e)
				stack = append(stack, frame{node: to})
			case grey:
				if walk := g.walk(path, e, to, given); walk != nil {
					found = append(found, walk)
				}
			}
		}
	}
	return found
}

// walk gives the edges of the circle that edge e closes, unless it is part of one that is given.
func (g *digraph) walk(path []int, e, to int, given []bool) []int {
	i := len(path)
	for i > 0 && g.ids[g.edges[path[i-1]][0]] != to {
		i--
	}
	var walk []int
	if g.ids[g.edges[e][0]] != to {
		walk = append(walk, path[i-1:]...)
	}
	walk = append(walk, e)
	seen := false
	for _, x := range walk {
		n := g.ids[g.edges[x][0]]
		seen = seen || given[n]
		given[n] = true
	}
	if seen {
		return nil
	}
	return walk
}
