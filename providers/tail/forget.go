package tail

import (
	"slices"
	"time"
)

// How long an absent file is remembered: one that was deleted may turn up compressed, and the disk of another may not be
// mounted for a while.
const (
	keepDeleted = 10 * time.Minute
	keepAbsent  = 7 * 24 * time.Hour
)

// keepOfName bounds how many absent files of one name are remembered: a log that is rotated every minute leaves ten thousand in a week,
// and what is remembered is written again whenever a position moves.
const keepOfName = 100

// forgetOlder forgets the oldest files of a name when too many are remembered.
func (s *Source) forgetOlder(name string) {
	var same []*lostFile
	for _, l := range s.lost {
		if l.note.Path == name && s.isDone(l.key, l.led) {
			same = append(same, l)
		}
	}
	if len(same) <= s.keepOfName {
		return
	}
	slices.SortStableFunc(same, func(a, b *lostFile) int { return a.since.Compare(b.since) })
	over := same[:len(same)-s.keepOfName]
	s.lost = slices.DeleteFunc(s.lost, func(l *lostFile) bool { return slices.Contains(over, l) })
	for _, l := range over {
		s.env.Positions.Forget(l.key)
	}
}

// forgetLost forgets files that will not come again, and remembers since when others are missed.
func (s *Source) forgetLost(now time.Time) {
	s.lost = slices.DeleteFunc(s.lost, func(l *lostFile) bool {
		if l.note.Gone == 0 {
			l.note.Gone = l.since.Unix()
			s.env.Positions.Note(l.key, l.note.Encode())
		}
		if now.Sub(l.since) < l.keep || !s.isDone(l.key, l.led) {
			return false
		}
		s.env.Positions.Forget(l.key)
		return true
	})
}
