package flow

import "time"

// ChannelReport is what the directory of a channel that stores holds, for people.
type ChannelReport struct {
	Channel   string // uuid
	Version   int    // of the format
	Durable   uint64 // number of the newest frame noted as durable
	Last      uint64 // number of the newest frame that counts
	Events    uint64 // since the channel began
	Waiting   uint64 // events of the reader that is farthest behind
	Segments  []SegmentReport
	Readers   []ReaderReport
	Positions map[string]uint64
	Damage    []Damage
	SetAside  []string // files with damaged pieces
}

// SegmentReport is one file of a channel.
type SegmentReport struct {
	Name    string
	First   uint64 // number of its first frame
	Last    uint64
	Bytes   int64 // used by frames that count
	Frames  int
	Events  int64
	Created time.Time
}

// ReaderReport is how far a reader of a channel is. Its name is empty when it was forgone and nobody came after it.
type ReaderReport struct {
	Name     string
	Frontier uint64 // this frame and all before are delivered
	Ranges   int    // delivered pieces beyond
	Waiting  uint64 // events
}

// Damage is a piece of a channel's file that is not what was written.
type Damage struct {
	Segment  string
	Offset   int64
	Bytes    int64
	Events   uint64 // in it, as far as what is around it tells
	Reason   string
	SetAside string // the file that a repair has copied it to
}
