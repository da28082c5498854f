package expr

import "testing"

// TestConditionalsOfListsAndObjects compiles conditionals whose two results have types that Go cannot compare.
func TestConditionalsOfListsAndObjects(t *testing.T) {
	t.Parallel()
	ev := newEvent("a,b", map[string]string{"x": "1"})
	for src, want := range map[string]string{
		`join("-", event.body == "a,b" ? [event.body, "x"] : ["y", event.body])`:    "a,b-x",
		`join("-", event.body == "z" ? [event.body, "x"] : [event.body])`:           "a,b",
		`(event.body == "a,b" ? { a = event.body } : { a = "n" }).a`:                "a,b",
		`jsonencode(event.body == "z" ? [event.body, [1]] : [event.body, [2]])`:     `["a,b",[2]]`,
		`join("", try([event.headers.none], event.body == "z" ? ["p"] : ["q"]))`:    "q",
		`[for x in event.body == "a,b" ? split(",", event.body) : ["c"] : x][1]`:    "b",
		`jsonencode(event.body == "a,b" ? { a = [event.body] } : { a = ["none"] })`: `{"a":["a,b"]}`,
	} {
		b, err := program(t, src, TypeAny).Bytes(ev, new(Scratch))
		if err != nil || string(b) != want {
			t.Errorf("%s: got %q, %v, want %s", src, b, err, want)
		}
	}
}
