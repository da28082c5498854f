// Package pipeline joins the components of one agent and runs them: sources emit through interceptors and routes into channels, sinks
// deliver what channels hold, with retry, dead letters, acknowledgement and positions.
//
// A [Pipeline] is built from an agent's spec and can become another spec while it runs: what did not change keeps its
// goroutines, sockets and files.
//
//	source ─▶ emit: window ─▶ interceptors ─▶ routes ─▶ reserve all ─▶ put ─▶ channel
//	   ◀── ack ── join of all required channels ──▶ position                    │
//	                                              sink ◀── deliver ◀── take ────┘
//	                                                └─ done ─▶ settle ─▶ commit | retry | dead letter
//
// This package is the life cycle. Who imports whom below it, in one direction:
//
//	pipeline ─▶ design   what a spec asks for         ─▶ registry, route
//	         ─▶ emit     source to channels           ─▶ route, position, channel
//	         ─▶ deliver  channel to sinks             ─▶ channel
//	         ─▶ channel  a running channel, its readers
//	         ─▶ orphan   channels that nobody declares ─▶ registry
//
// and for all of them wait, guard, datadir, counters and deadletter.
//
// It promises that a position advances only when every required channel has settled the events, that a failed batch is tried
// again for ever unless its error is permanent, that a permanent failure is stored in the dead-letter channel before its
// origin is committed, and that nothing is dropped without a counter. It never looks into a component: what it knows of one
// is its spec and the contracts of package flow.
package pipeline
