// Package sim is the machine on which the data plane is tested against crashes: a disk that loses what was not synced and fails
// when it is told to, and random numbers that follow from a seed. Together with a testing/synctest bubble, whose clock only
// moves when everything waits, years of faults pass in seconds, and a seed names a run.
//
// # The disk
//
// A file has blocks of 4 KiB. A write changes what everybody reads at once, but a block is durable only after Sync of its file. A
// change of names (create, rename, remove) is durable only after Sync of its directory; a rename is one change, also between
// directories. A power cut keeps any subset of the blocks, sizes and changes that were not durable; a kill of the process keeps
// them all. After a Sync that failed, the blocks that it was to make durable may be gone at a power cut even if a later
// Sync succeeds, as on Linux.
//
// Other programs, which write the files that an agent reads, do so through Append, Move, Truncate and Delete: careful neighbours, whose
// changes are durable at once and whom no fault strikes.
//
// Every operation takes a little time, drawn from the seed, so that goroutines meet in another order in each run. After a crash
// all handles of before only give [ErrCrashed].
//
// [Disk.CrashIn] makes the machine crash by itself after so many operations, as in the middle of a recovery or a reload. [Disk.SetRoom]
// leaves room for so many bytes, so that the disk is full in the middle of a write. [Disk.Jump] sets the clock that gives files their
// times; a machine that starts anew in another bubble has its whole clock elsewhere, while the disk keeps the times of before.
//
// # How far a seed repeats a run
//
// Clock, disk, faults, random numbers and what other programs do follow from the seed. The order in which goroutines run that are
// ready at the same moment of the simulated clock does not. Measured with the planted mistakes of the tests, a seed that failed
// failed again in 378 of 380 replays (19 mistakes, 20 replays each; COLLECT_SIM_REPLAY=1 measures it anew). A failure that needs a
// rare meeting of goroutines repeats less often: replay it in a loop.
package sim
