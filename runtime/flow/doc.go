// Package flow holds the contracts of the data plane: the batch, its acknowledgement, and what sources, interceptors, channels
// and sinks are to the pipeline that joins them.
//
// A source fills a [Batch] and emits it. Interceptors change it before anyone else sees it; from then on it is immutable.
// Routes choose the channels; room is reserved in all required channels before any is written. A channel acknowledges the
// batch when it is durable, or, when the channel is volatile, when it is delivered. A sink takes leases from a channel,
// accepts a batch with Write and ends it later with Done.
//
//	Source ──Emit──▶ interceptors ──▶ routes ──Reserve/Put──▶ Channel ──Take──▶ Lease ──Write──▶ Sink
//	   ◀───────────────── ack(Outcome) ─────────────────────────┘        ◀──Commit── Done(Result) ──┘
//
// The package imports nothing of this project. Everything that touches files, the network or randomness goes through [Env], so that
// the same code runs on the machine and in a deterministic simulation.
package flow
