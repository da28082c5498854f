package sim

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"

	"collect/runtime/flow"
)

// Rand gives random numbers that follow from a seed.
func Rand(seed uint64) flow.Rand { return &seeded{r: rand.New(rand.NewPCG(seed, 0x5eed))} }

type seeded struct {
	mu sync.Mutex // guards r
	r  *rand.Rand
}

func (s *seeded) Uint64() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.Uint64()
}

func (s *seeded) Read(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range p {
		p[i] = byte(s.r.Uint64())
	}
}

// Net is a machine without a network.
func Net() flow.Net { return unplugged{} }

type unplugged struct{}

var errUnplugged = errors.New("the simulated machine has no network")

func (unplugged) Dial(context.Context, string, string) (net.Conn, error) { return nil, errUnplugged }

func (unplugged) Listen(context.Context, string, string) (net.Listener, error) {
	return nil, errUnplugged
}

func (unplugged) ListenPacket(context.Context, string, string) (net.PacketConn, error) {
	return nil, errUnplugged
}
