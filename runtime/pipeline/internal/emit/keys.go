package emit

import (
	"fmt"

	"collect/runtime/pipeline/internal/channel"
)

// Prefix begins all keys of a source in channels: its uuid, and the hash of its interceptors and routes. Under other routes the same
// position is another one, so that no channel skips events that were sent elsewhere before.
func Prefix(id, routing string) string { return id + "/" + routing + "/" }

// deadKey is the key under which the events that interceptor n gives up are stored.
func deadKey(key string, n int) string { return fmt.Sprintf("%s/dead/%d", key, n) }

// ForgetKeys tells channels that nothing comes with these keys of a source any more.
func ForgetKeys(nodes []*channel.Node, prefix string, locals []string, interceptors int) {
	for _, n := range nodes {
		for _, local := range locals {
			n.Channel.Forget(prefix + local)
			for i := range interceptors {
				n.Channel.Forget(deadKey(prefix+local, i))
			}
		}
	}
}

// Forget drops keys of the source that are gone, here and in its channels.
func (e *Emitter) Forget(locals []string) {
	e.mu.Lock()
	for _, l := range locals {
		delete(e.keys, l)
	}
	e.mu.Unlock()
	ForgetKeys(e.Channels(), e.prefix, locals, len(e.stages))
}

// global gives the key of a local key in channels.
func (e *Emitter) global(local string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	key, ok := e.keys[local]
	if !ok {
		key = e.prefix + local
		e.keys[local] = key
	}
	return key
}
