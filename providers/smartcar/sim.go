package smartcar

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// sim makes lines one after the other. Line number pos is a function of the arguments alone.
type sim struct {
	cfg   Config
	first time.Time // the first simulated day
	cars  []car
	fleet fleet
	pos   uint64 // number of the next line
	heads uint64 // header lines at the beginning
	ticks uint64 // moments in all; 0: no end
	daily uint64 // moments of a day
	step  int    // simulated seconds between them

	day   uint64 // that date and fleet are set for, plus one
	date  []byte // YYYYMMDD
	stamp []byte // YYYYMMDDhhmmss of the moment
}

// fleet is what the cars do; each has another state.
type fleet interface {
	// reset begins a day.
	reset(r *rand.Rand)
	// line appends what car i reports.
	line(dst []byte, i int) []byte
}

type car struct {
	num  string
	wild bool
}

const (
	statusHeader  = "SmartCar Status Information,CarNum,TireFL,TireFR,TireBL,TireBR,LightFL,LightFR,LightBL,LightBR,EngineInfo,BreakInfo,BatteryInfo"
	drivingHeader = "Driver Status Infomation,CarNum,AccStep,BrkStep,WheelStep,DirLightStep,Speed,AreaNum"
)

// newSim prepares a simulation that begins on a day.
func newSim(cfg Config, first time.Time) *sim {
	s := &sim{cfg: cfg, first: first}
	r := rand.New(rand.NewPCG(uint64(cfg.Seed), 0xca75))
	taken := map[string]bool{}
	for range cfg.Cars {
		num := ""
		for num == "" || taken[num] {
			num = string(rune('A'+r.IntN(26))) + strconv.Itoa(10000 + r.IntN(10000))[1:]
		}
		taken[num] = true
		s.cars = append(s.cars, car{num, r.Float64() < cfg.Wild})
	}
	hours := uint64(cfg.Hours)
	if cfg.Kind == "status" {
		if hours == 0 {
			hours = 24
		}
		s.step, s.heads = 4, uint64(cfg.Cars)
		s.ticks = hours*3600/4 + 1 // both ends
		s.daily = s.ticks
		s.fleet = newStatus(s.cars)
		return s
	}
	s.step, s.heads = 2, 1
	s.ticks, s.daily = hours*3600/2, 24*3600/2
	s.fleet = newDriving(s.cars)
	return s
}

// total gives the number of lines; ok is false when there is no end.
func (s *sim) total() (n uint64, ok bool) {
	return s.heads + s.ticks*uint64(len(s.cars)), s.ticks > 0
}

// done says whether all lines were made.
func (s *sim) done() bool {
	n, ok := s.total()
	return ok && s.pos >= n
}

// dayOf gives the number of the day of the next line, from 0.
func (s *sim) dayOf() uint64 {
	if s.pos < s.heads {
		return 0
	}
	return (s.pos - s.heads) / (s.daily * uint64(len(s.cars)))
}

// lastOfDay says whether the next line is the last one of its day.
func (s *sim) lastOfDay() bool {
	n, ok := s.total()
	if ok && s.pos+1 == n {
		return true
	}
	return s.pos >= s.heads && (s.pos+1-s.heads)%(s.daily*uint64(len(s.cars))) == 0
}

// begin prepares the day of the next line.
func (s *sim) begin() {
	day := s.dayOf()
	if s.day == day+1 {
		return
	}
	s.day = day + 1
	s.date = s.first.AddDate(0, 0, int(day)).AppendFormat(s.date[:0], dateLayout)
	s.stamp = append(append(s.stamp[:0], s.date...), "000000"...)
	s.fleet.reset(rand.New(rand.NewPCG(uint64(s.cfg.Seed), day+1)))
}

// next appends the next line, without a line end.
func (s *sim) next(dst []byte) []byte {
	s.begin()
	pos := s.pos
	s.pos++
	if pos < s.heads {
		if s.cfg.Kind == "status" {
			return append(dst, statusHeader...)
		}
		return append(dst, drivingHeader...)
	}
	n := (pos - s.heads) % (s.daily * uint64(len(s.cars)))
	i := int(n % uint64(len(s.cars)))
	if i == 0 {
		s.clock(int(n/uint64(len(s.cars))) * s.step)
	}
	dst = append(dst, s.stamp...)
	dst = append(dst, ',')
	dst = append(dst, s.cars[i].num...)
	return s.fleet.line(dst, i)
}

// clock sets the time of day; the day's end is 240000.
func (s *sim) clock(seconds int) {
	for k, v := range [3]int{seconds / 3600, seconds / 60 % 60, seconds % 60} {
		s.stamp[8+2*k], s.stamp[9+2*k] = byte('0'+v/10), byte('0'+v%10)
	}
}

// seek makes pos the number of the next line. Within a day the lines before it are made again, since each depends on them.
func (s *sim) seek(pos uint64) {
	s.pos, s.day = pos, 0
	if pos < s.heads {
		return
	}
	perDay := s.daily * uint64(len(s.cars))
	s.pos = s.heads + (pos-s.heads)/perDay*perDay
	var scratch []byte
	for s.pos < pos {
		scratch = s.next(scratch[:0])
	}
}

// numbers are the texts of small numbers.
var numbers = func() (t [256]string) {
	for i := range t {
		t[i] = "," + strconv.Itoa(i)
	}
	return t
}()

// million draws a number below a million, and another one below n, at once.
func million(r *rand.Rand, n uint64) (weight, value uint64) {
	v := r.Uint64()
	return (v & 0xffffffff) * 1_000_000 >> 32, (v >> 32) * n >> 32
}
