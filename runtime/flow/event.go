package flow

// Event is a cursor over the events of a batch: made once, moved to each event in turn. It is what per-event expressions see.
type Event struct {
	b   *Batch
	use uint64 // of the batch's memory: a pooled batch may be another one now
	i   int
	run *Run
	// Host is the name of this machine, for event.meta.host.
	Host string
}

// Seek moves the cursor.
func (e *Event) Seek(b *Batch, i int) {
	if e.b != b || e.use != b.use || e.run == nil || i < e.run.First || i >= e.run.First+e.run.N {
		e.run = b.RunOf(i)
	}
	e.b, e.use, e.i = b, b.use, i
}

// Body gives the event's body.
func (e *Event) Body() []byte { return e.b.Body(e.i) }

// Header gives a header.
func (e *Event) Header(name string) ([]byte, bool) {
	if v, ok := lookup(e.b.headerBlock(e.i), name); ok {
		return v, true
	}
	if e.run != nil && e.run.Meta != nil {
		return lookup(e.run.Meta.Headers, name)
	}
	return nil, false
}

// Headers calls yield for each header.
func (e *Event) Headers(yield func(name, value []byte) bool) { e.b.Headers(e.i, yield) }

// Time gives the event's time, in ns since 1970 UTC.
func (e *Event) Time() int64 { return e.b.Time(e.i) }

// MetaText gives event.meta.file, topic, peer or host.
func (e *Event) MetaText(name string) (string, bool) {
	if name == "host" {
		return e.Host, e.Host != ""
	}
	if e.run == nil || e.run.Meta == nil {
		return "", false
	}
	s := ""
	switch name {
	case "file":
		s = e.run.Meta.File
	case "topic":
		s = e.run.Meta.Topic
	case "peer":
		s = e.run.Meta.Peer
	}
	return s, s != ""
}

// MetaNumber gives event.meta.offset or partition.
func (e *Event) MetaNumber(name string) (int64, bool) {
	switch name {
	case "offset":
		return int64(e.b.SourceOffset(e.i)), e.run != nil
	case "partition":
		if e.run != nil && e.run.Meta != nil && e.run.Meta.Topic != "" {
			return e.run.Meta.Partition, true
		}
	}
	return 0, false
}
