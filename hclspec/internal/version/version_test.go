package version

import "testing"

func TestFits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		have, conditions string
		fits, wrong      bool
	}{
		{"1.2.3", ">= 1.2, < 2", true, false},
		{"v1.2.3", "1.2.3", true, false},
		{"1.2.3", "!= 1.2.3", false, false},
		{"1.9", "~> 1.2", true, false},
		{"2.0", "~> 1.2", false, false},
		{"1.2.9", "~> 1.2.3", true, false},
		{"1.3.0", "~> 1.2.3", false, false},
		{"1.2.3-dev", "<= 1.2.3", true, false},
		{"unknown", "> 99", true, false},
		{"1.0", "> one", false, true},
		{"1.0", "=> 1", false, true},
		{"1.0", "1.2.3.4", false, true},
	} {
		fits, err := Fits(c.have, c.conditions)
		if fits != c.fits || (err != nil) != c.wrong {
			t.Errorf("%s of %s: got %v, %v", c.conditions, c.have, fits, err)
		}
	}
}
