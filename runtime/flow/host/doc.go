// Package host is the real machine behind flow.Env: its files, its network and its randomness. It is the only place of the data
// plane that touches them; everything else goes through the interfaces in package flow, so that it also runs in a simulation.
//
// Files are opened relative to an open directory, by single names, without following links and without ever blocking on a
// FIFO; what is no regular file is refused. Permissions are what the caller asks for, whatever the process's umask is. Errors
// are *fs.PathError (or *os.LinkError for renames) with the full path.
package host

import (
	"context"
	cryptorand "crypto/rand"
	"math/rand/v2"
	"net"

	"collect/runtime/flow"
)

// FS gives the machine's files.
func FS() flow.FS { return fileSystem{} }

// Net gives the machine's network.
func Net() flow.Net { return network{} }

// Rand gives the machine's random numbers, fit for salts and identities.
func Rand() flow.Rand { return random{} }

type network struct{}

func (network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

func (network) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	var c net.ListenConfig
	return c.Listen(ctx, network, address)
}

func (network) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	var c net.ListenConfig
	return c.ListenPacket(ctx, network, address)
}

type random struct{}

func (random) Uint64() uint64 { return rand.Uint64() }

// Read fills p. The system's generator does not fail on any supported system: crypto/rand ends the process if it ever did.
func (random) Read(p []byte) { _, _ = cryptorand.Read(p) }
