// Package disk is the channel that keeps batches in files. What it has acknowledged survives kill -9, power cuts and a full disk;
// what it hands out was checked against its checksum; what is damaged is set aside and counted, and the rest delivered.
//
// # Files
//
// The directory holds
//
//	lock                     held by flock while the channel is open
//	cursors                  how far each consumer is, and what is known to be durable
//	0000000000000001.seg     segments, in order of their number
//	0000000000000001-4096.bad  a damaged piece of segment 1, from offset 4096 on
//	0000000000000001-4096.unread.bad  the same of one that the disk could not read; what it could not is zero
//	0000000000000001.seg.bad  a delivered segment with such a piece, or one without a head
//	*.new                    unfinished; removed at the next opening
//
// All numbers are little-endian. Checksums are CRC32C.
//
// A segment begins with a head of 4096 bytes: 128 bytes, and the same again at 2048. Frames follow, each aligned to 8 bytes.
//
//	head   0 "collectC"   8 version u32    12 crc u32        16 channel uuid
//	      32 number u64  40 base u64      48 previous u64    56 events before u64
//	      64 salt u64    72 created (ns)
//
//	frame  0 magic u32    4 header crc    8 body crc   12 events   16 stored   20 arena   24 tables   28 seconds
//	      32 seq u64     40 epoch u64    48 events before u64      56 flags, codec, form, 5 zeros
//	      64 arena (stored bytes, compressed by codec)  tables
//
//	tables 0 known durable u64   8 base time (ns)   16 runs u32   20 positions u32
//	       runs:      key length u16, key, from u64, to u64, events u32, flags u8, headers length u32, headers
//	       positions: key length u16, key, to u64 (all ones: forgotten)
//	       events:    form 0: length and flags u32 (lines that follow each other; their places are their sums)
//	                  form 1: length and flags u32, position u32
//	                  form 2: offset, length and flags, header block, position: u32 each
//	       times:     u64 each, when flag 1 is set
//
// The header checksum is seeded with the segment's salt and the frame's offset and covers the body's checksum, so neither an
// old frame in recycled space nor an event that quotes one is ever taken for a frame. A batch is one frame, written with one
// system call from where it lies in memory.
//
// # Promises
//
// A batch is acknowledged, and (with sync = "batch") visible to consumers, after fdatasync. One goroutine syncs for all writers. Its
// success is noted in the cursors file: a frame up to there that is missing is damage; what follows is a torn tail and is cut,
// unless it is whole: then it is copied into a new segment and synced there, since nobody knows what an earlier fsync left behind.
//
// An fsync error ends a segment: nothing is written to that file again, and the frames that it was to make durable are written
// from memory to a new one, which takes its place by a rename. A full disk refuses batches and heals when there is room.
//
// Each segment begins with the position decided per key, so that old segments can go. A segment goes when all consumers are
// past it. A reader that gets an I/O error reports it and tries again. After a minute, and only when the disk then takes and syncs a
// write, the frame counts as damaged and the rest is delivered; its segment is kept, and inspect.Dump (all) gives what can be read again. A segment
// that somebody removed is a gap that is counted.
package disk
