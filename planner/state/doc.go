// Package state keeps the little that reality cannot tell: which topics this configuration created, which revision changed
// what, what an interrupted apply had begun, and the outputs. Deleting it is safe: running agents are found by asking them, and
// topics that exist are adopted, which means that they are never deleted.
//
// It also guards the installation: the kernel lock that names its holder, the record of whose installation it is, the
// key of fingerprints, and the commit of the configuration.
//
//	DATA/state.json     one JSON document, written as a whole (temp, fsync, rename, fsync of the directory)
//	DATA/state.journal  what the running apply did since: one line a record, "CRC32C JSON\n", fsynced before it counts
//
// state.json and then the journal are the state. A torn last line of the journal is a record that never counted; a damaged line
// before the end is an error. At the end of an apply the journal is folded into state.json and removed, so that the work of an apply
// grows with what it changes, not with its square.
package state
