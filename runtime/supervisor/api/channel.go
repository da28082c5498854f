package api

import "time"

// Channel is a channel of an agent as people may ask about it.
type Channel struct {
	Name   string
	Type   string // "": it left the configuration, and nothing in its directory says what it was
	Stores bool   // false: all it holds is in the memory of the agent
}

// ChannelReport is what the directory of a channel that stores holds.
type ChannelReport struct {
	Address   string            `json:"address"`
	Type      string            `json:"type"`
	Dir       string            `json:"dir"`
	UUID      string            `json:"uuid"`
	Version   int               `json:"format_version"`
	Durable   uint64            `json:"durable"` // number of the newest frame noted as durable
	Last      uint64            `json:"last"`    // number of the newest frame that counts
	Events    uint64            `json:"events"`  // since the channel began
	Waiting   uint64            `json:"waiting"` // events of the reader that is farthest behind
	Segments  []ChannelSegment  `json:"segments"`
	Readers   []ChannelReader   `json:"readers"`
	Positions map[string]uint64 `json:"positions"` // decided, by position key
	Damage    []ChannelDamage   `json:"damage"`
	SetAside  []string          `json:"set_aside"` // files with damaged pieces
}

// ChannelSegment is one file of a channel.
type ChannelSegment struct {
	Name    string    `json:"name"`
	First   uint64    `json:"first"` // number of its first frame
	Last    uint64    `json:"last"`
	Bytes   int64     `json:"bytes"` // used by frames that count
	Frames  int       `json:"frames"`
	Events  int64     `json:"events"`
	Created time.Time `json:"created"`
}

// ChannelReader is how far a reader of a channel is. Its name is empty when it was forgone and nobody came after it.
type ChannelReader struct {
	Name     string `json:"name"`
	Frontier uint64 `json:"frontier"` // this frame and all before are delivered
	Ranges   int    `json:"ranges"`   // delivered pieces beyond
	Waiting  uint64 `json:"waiting"`  // events
}

// ChannelDamage is a piece of a channel's file that is not what was written.
type ChannelDamage struct {
	Segment  string `json:"segment"`
	Offset   int64  `json:"offset"`
	Bytes    int64  `json:"bytes"`
	Events   uint64 `json:"events"` // in it, as far as what is around it tells
	Reason   string `json:"reason"`
	SetAside string `json:"set_aside,omitempty"` // the file that a repair has copied it to
}
