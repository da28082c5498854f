package value

// Event is what an expression sees. Slices are only valid until the next event and are never written.
type Event interface {
	Body() []byte
	Header(name string) ([]byte, bool)
	Headers(yield func(name, value []byte) bool)
	Time() int64                          // ns since 1970 UTC
	MetaText(name string) (string, bool)  // file, host, topic, peer
	MetaNumber(name string) (int64, bool) // offset, partition
}

// Error says why an expression has no value for this event. It is made when the expression is compiled, so that a
// million events without a header cost nothing.
type Error struct {
	Reason string
	Header string // the header that is missing, "" when it is something else
}

// Error gives the reason.
func (e *Error) Error() string { return e.Reason }
