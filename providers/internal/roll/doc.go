// Package roll writes events into files that appear under their final names only when they are complete. It is what the sinks
// hdfs and file are made of.
//
// # Paths
//
// A path may depend on the event. Its constant beginning, up to the last slash, is the root; each per-event part becomes (a piece
// of) one segment below it. What could leave a segment is escaped: see [Path].
//
// # Rolling
//
// Events are written to hidden temporary files, and a batch is done only when every file that holds one of its events is closed
// and renamed. Files that share a batch form a group, and a group rolls as one. A roll is:
//
//	close the temps ─▶ intent (fsync): temp → final names, and the ranges of batches delivered so far, these included
//	                ─▶ rename all, never onto a file that exists ─▶ Done
//
// After a crash, Open completes the intent and removes the temps that are in none. A batch that the ranges contain is done at
// Write without being written again. With a channel that keeps its identity over a crash, each event is therefore in exactly one
// final file. Without one (a memory channel) what was not acknowledged to the source is written again, as everywhere.
//
// A write that fails abandons the temps of its group: their batches are done with the error, and come again into new files.
//
// # State
//
// Package journal keeps two files in the component's directory: "intent", JSON with a checksum, replaced atomically; "temps", one line
// for each temporary file that may exist, so that a crash leaves none behind.
//
// A run that was killed leaves more than is durable: an intent, directories, renames and removals that everybody sees and that a power
// cut takes back. So each run makes durable what it finds before it relies on it: the component's directory before it reads the
// intent, a directory before it makes the first file there, removals before their names leave the list.
package roll
