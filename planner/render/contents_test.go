package render

import (
	"testing"

	"collect/planner/resource"
)

func TestAFileWithOtherContentsIsShownAsSuch(t *testing.T) {
	t.Parallel()
	file := func(name, fp string) any { return map[string]any{"file": name, "fp": fp} }
	for want, it := range map[string]resource.Item{
		`"/etc/ca.pem" (contents changed)`: {Before: file("/etc/ca.pem", "1"), After: file("/etc/ca.pem", "2")},
		`"/etc/a.pem" -> "/etc/b.pem"`:     {Before: file("/etc/a.pem", "1"), After: file("/etc/b.pem", "2")},
		`(default) -> "/etc/b.pem"`:        {After: file("/etc/b.pem", "2")},
		`"/etc/a.pem" -> (default)`:        {Before: file("/etc/a.pem", "1")},
	} {
		if got := fromTo(it); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
