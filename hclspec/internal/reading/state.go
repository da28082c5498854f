package reading

// State is how far a value is: each is worked out once, when it is first asked for.
type State uint8

const (
	untouched State = iota
	Running
	Done
	Failed // and reported
)
