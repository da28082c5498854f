package smartcar

import "math/rand/v2"

// How often a part reports what, in a million. What is broken stays so for the rest of the day.
const (
	often    = 800_000 // the good range of tires, and the grade A of engine and brake
	oftener  = 900_000 // the good range of the battery
	unbroken = 999_998 // everything but the rare case
)

const (
	tires  = 4
	lights = 4
)

// health is the state of one car: -1 while a part works, else what it reports for the rest of the day.
type health struct {
	tire           [tires]int16
	light          [lights]bool
	engine, brakes bool
	battery        int16
}

// status is the fleet of the daily status file.
type status struct {
	r    *rand.Rand
	cars []health
}

func newStatus(cars []car) *status { return &status{cars: make([]health, len(cars))} }

func (s *status) reset(r *rand.Rand) {
	s.r = r
	for i := range s.cars {
		s.cars[i] = health{battery: -1}
		for k := range s.cars[i].tire {
			s.cars[i].tire[k] = -1
		}
	}
}

func (s *status) line(dst []byte, i int) []byte {
	c := &s.cars[i]
	for k := range c.tire {
		dst = append(dst, numbers[s.level(&c.tire[k], often, 80, 21, 70, 10, 70)]...)
	}
	for k := range c.light {
		c.light[k] = c.light[k] || s.breaks()
		if c.light[k] {
			dst = append(dst, ",2"...)
		} else {
			dst = append(dst, ",1"...)
		}
	}
	dst = s.grade(dst, &c.engine)
	dst = s.grade(dst, &c.brakes)
	return append(dst, numbers[s.level(&c.battery, oftener, 80, 21, 50, 30, 50)]...)
}

// level draws a value: usually good and up, sometimes fair and up, and rarely below bad, where it stays.
func (s *status) level(stuck *int16, usual uint64, good, goodSpan, fair, fairSpan, bad uint64) uint64 {
	if *stuck >= 0 {
		return uint64(*stuck)
	}
	w, v := million(s.r, 1<<16)
	switch {
	case w < usual:
		return good + v*goodSpan>>16
	case w < unbroken:
		return fair + v*fairSpan>>16
	}
	*stuck = int16(v * bad >> 16)
	return uint64(*stuck)
}

func (s *status) breaks() bool {
	w, _ := million(s.r, 1)
	return w >= unbroken
}

// grade appends A, B or, from the first time on, C.
func (s *status) grade(dst []byte, broken *bool) []byte {
	if !*broken {
		w, _ := million(s.r, 1)
		if w < often {
			return append(dst, ",A"...)
		}
		if w < unbroken {
			return append(dst, ",B"...)
		}
		*broken = true
	}
	return append(dst, ",C"...)
}

// driver is what one person does at the moment.
type driver struct {
	speed int
	area  int // row times ten plus column
	haste int // the speed that he wants
}

// driving is the fleet of the real-time log.
type driving struct {
	r       *rand.Rand
	wild    []bool
	drivers []driver
}

func newDriving(cars []car) *driving {
	d := &driving{drivers: make([]driver, len(cars))}
	for _, c := range cars {
		d.wild = append(d.wild, c.wild)
	}
	return d
}

// The town has six rows, A to F, of ten areas.
const (
	rows    = 6
	columns = 10
)

var (
	areas = func() (t [rows * columns]string) {
		for i := range t {
			n := i%columns + 1
			t[i] = "," + string([]byte{byte('A' + i/columns), byte('0' + n/10), byte('0' + n%10)})
		}
		return t
	}()
	congested = [rows * columns]bool{
		9: true, 11: true, 23: true, 34: true, 49: true, 55: true, // A10, B02, C04, D05, E10, F06
	}
	wheels = [...]string{",F", ",L1", ",L2", ",L3", ",R1", ",R2", ",R3"}
)

func (d *driving) reset(r *rand.Rand) {
	d.r = r
	for i := range d.drivers {
		d.drivers[i] = driver{area: r.IntN(rows * columns), haste: d.haste(i)}
	}
}

// haste draws the speed that a driver wants for a while.
func (d *driving) haste(i int) int {
	if d.wild[i] {
		return 90 + d.r.IntN(160)
	}
	return 40 + d.r.IntN(70)
}

func (d *driving) line(dst []byte, i int) []byte {
	p := &d.drivers[i]
	v := d.r.Uint64()
	draw := func(n uint64) int { // one of n, from 12 bits of v
		x := v & 0xfff * n >> 12
		v >>= 12
		return int(x)
	}
	if draw(40) == 0 {
		d.move(p)
		p.haste = d.haste(i)
	}
	want, hard := p.haste, 0
	if congested[p.area] {
		want = 5 + p.haste/8
	}
	if d.wild[i] {
		hard = 2
	}
	accelerate, brake := 0, 0
	switch gap := want - p.speed; {
	case gap > 3:
		accelerate = 1 + draw(3) + min(hard, gap/10)
	case gap < -20:
		brake = 1 + min(draw(2)+hard/2, 2)
	}
	p.speed = max(0, min(250, p.speed+3*accelerate-10*brake-1))
	wheel := 0
	if turn := draw(20); turn < 3+2*hard {
		wheel = 1 + turn%(len(wheels)-1)
	}
	dst = append(dst, numbers[accelerate]...)
	dst = append(dst, numbers[brake]...)
	dst = append(dst, wheels[wheel]...)
	switch {
	case wheel == 0 || hard > 0 && draw(2) == 0: // wild drivers forget to signal
		dst = append(dst, ",N"...)
	case wheel <= 3:
		dst = append(dst, ",L"...)
	default:
		dst = append(dst, ",R"...)
	}
	dst = append(dst, numbers[p.speed]...)
	return append(dst, areas[p.area]...)
}

// move drives into a neighbouring area.
func (d *driving) move(p *driver) {
	row, column := p.area/columns, p.area%columns
	switch d.r.IntN(4) {
	case 0:
		row = (row + 1) % rows
	case 1:
		row = (row + rows - 1) % rows
	case 2:
		column = (column + 1) % columns
	default:
		column = (column + columns - 1) % columns
	}
	p.area = row*columns + column
}
