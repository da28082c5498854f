package spooldir

import (
	"testing"
	"time"

	"github.com/robfig/cron/v3"
)

// TestAScheduleMayNameItsTimeZone holds the form in which the language hands over the time_zone of the collect block.
func TestAScheduleMayNameItsTimeZone(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for schedule, want := range map[string]string{
		"0 1 * * *":                    "2026-11-23T01:00:00Z",
		"CRON_TZ=Asia/Seoul 0 1 * * *": "2026-11-22T16:00:00Z",
	} {
		c := Defaults()
		c.Path, c.Schedule = t.TempDir(), schedule
		if err := c.Validate(); err != nil {
			t.Error(schedule, err)
		}
		plan, err := cron.ParseStandard(schedule)
		if err != nil {
			t.Fatal(err)
		}
		if got := plan.Next(now).UTC().Format(time.RFC3339); got != want {
			t.Errorf("%s: got %s, want %s", schedule, got, want)
		}
	}
}
