// Package pipeline joins the components of one agent: it emits what sources read through interceptors and routes into
// channels, and delivers what channels hold through sinks, with retry, dead letters, acknowledgement and positions.
//
// A [Pipeline] is built from an agent's spec and can become another spec while it runs: what did not change keeps its
// goroutines, sockets and files.
//
//	source ─▶ emitter: window ─▶ interceptors ─▶ routes ─▶ reserve all ─▶ put ─▶ channel
//	   ◀── ack ── join of all required channels ──▶ tracker (positions)             │
//	                                                    sink ◀── runner ◀── take ───┘
//	                                                      └─ done ─▶ settle ─▶ commit | retry | dead letter
//
// It promises that a position advances only when every required channel has settled the events, that a failed batch is tried
// again for ever unless its error is permanent, that a permanent failure is stored in the dead-letter channel before its
// origin is committed, and that nothing is dropped without a counter. It never looks into a component: what it knows of one
// is its spec and the contracts of package flow.
package pipeline
