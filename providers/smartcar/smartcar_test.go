package smartcar

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func config(kind string) Config {
	c := Defaults()
	c.Kind, c.Date, c.Hours, c.Cars = kind, "20260101", 1, 3
	return c
}

func lines(cfg Config, n int) []string {
	day, _ := parseDate(cfg.Date)
	m := newSim(cfg, day)
	var all []string
	for !m.done() && (n < 0 || len(all) < n) {
		all = append(all, string(m.next(nil)))
	}
	return all
}

func TestConformance(t *testing.T) {
	providertest.Test(t, func(t *testing.T) providertest.Source {
		cfg, fed := config("status"), 0
		cfg.Cars, cfg.Hours = 1, 0
		return providertest.Source{
			New: func(t *testing.T, env flow.Env) flow.Source {
				// The key leaves the hours out, so that a day that became longer goes on.
				return &Source{cfg: cfg, env: env, key: "one car"}
			},
			Feed: func(t *testing.T, _ int) []string {
				cfg.Hours++
				all := lines(cfg, -1)
				more := all[fed:]
				fed = len(all)
				return more
			},
		}
	})
}

func TestADayOfStatus(t *testing.T) {
	if providertest.Race {
		t.Skip("two million lines, made by one goroutine")
	}
	cfg := Defaults()
	cfg.Kind, cfg.Date = "status", "2026-01-01"
	day, err := parseDate(cfg.Date)
	if err != nil {
		t.Fatal(err)
	}
	m := newSim(cfg, day)
	valid := regexp.MustCompile(`^20260101\d{6},[A-Z]\d{4}(,(100|\d{1,2})){4}(,[12]){4},[ABC],[ABC],(100|\d{1,2})$`)
	headers, data, bytes, lasts := 0, 0, 0, 0
	perCar := map[string]int{}
	var line []byte
	for !m.done() {
		if m.lastOfDay() {
			lasts++
		}
		line = m.next(line[:0])
		bytes += len(line) + 1
		if strings.HasPrefix(string(line), "SmartCar") {
			headers++
			continue
		}
		if data++; data%997 == 0 && !valid.Match(line) {
			t.Fatalf("not a status line: %s", line)
		}
		perCar[string(line[15:20])]++
	}
	if headers != 100 || data != 2_160_100 || len(perCar) != 100 || lasts != 1 {
		t.Errorf("%d header lines, %d lines of %d cars, %d last ones", headers, data, len(perCar), lasts)
	}
	for num, n := range perCar {
		if n != 21_601 {
			t.Errorf("%d lines of car %s", n, num)
		}
	}
	if !strings.HasPrefix(string(line), "20260101240000,") {
		t.Errorf("the last line is %s", line)
	}
	if bytes < 100e6 || bytes > 120e6 {
		t.Errorf("%d bytes, want about 110 MB", bytes)
	}
}

func TestValuesAreDistributedAsDescribed(t *testing.T) {
	cfg := config("status")
	cfg.Cars, cfg.Hours = 50, 2
	good, fair, bad, a := 0, 0, 0, 0
	all := lines(cfg, -1)[50:]
	for _, l := range all {
		f := strings.Split(l, ",")
		switch v := f[2]; {
		case len(v) == 3 || v >= "80":
			good++
		case v >= "70" && len(v) == 2:
			fair++
		default:
			bad++
		}
		if f[10] == "A" {
			a++
		}
	}
	share := func(n int) float64 { return float64(n) / float64(len(all)) }
	if g := share(good); g < 0.78 || g > 0.82 {
		t.Errorf("%.3f of the tires are good", g)
	}
	if g := share(a); g < 0.78 || g > 0.82 {
		t.Errorf("%.3f of the engines have grade A", g)
	}
	if share(bad) > 0.01 || fair == 0 {
		t.Errorf("%d fair, %d bad", fair, bad)
	}
}

func TestABrokenPartStaysBroken(t *testing.T) {
	cfg := config("status")
	cfg.Cars, cfg.Hours = 100, 3
	day, _ := parseDate(cfg.Date)
	m := newSim(cfg, day)
	broken := map[string]string{} // by car and part
	for !m.done() {
		f := strings.Split(string(m.next(nil)), ",")
		if len(f[0]) != 14 {
			continue
		}
		for part, v := range f[2:10] { // tires, then lights
			id := f[1] + string(rune('0'+part))
			if was, ok := broken[id]; ok && v != was {
				t.Fatalf("part %s went from %s to %s", id, was, v)
			}
			if part < tires && (len(v) == 1 || len(v) == 2 && v < "70") || part >= tires && v == "2" {
				broken[id] = v
			}
		}
	}
	if len(broken) == 0 {
		t.Error("no part broke")
	}
}

func TestDriving(t *testing.T) {
	cfg := config("driving")
	cfg.Cars, cfg.Hours, cfg.Wild = 50, 2, 0.2
	all := lines(cfg, -1)
	if all[0] != drivingHeader || len(all) != 1+50*3600 {
		t.Fatalf("%d lines, the first is %s", len(all), all[0])
	}
	valid := regexp.MustCompile(`^20260101\d{6},[A-Z]\d{4},[0-5],[0-3],(F|[LR][123]),[NLR],(\d{1,2}|1\d\d|2[0-4]\d|250),[A-F](0[1-9]|10)$`)
	slow, fast := 0, 0
	for n, l := range all[1:] {
		if n%13 == 0 && !valid.MatchString(l) {
			t.Fatalf("not a driving line: %s", l)
		}
		f := strings.Split(l, ",")
		if f[2] != "0" && f[3] != "0" {
			t.Fatalf("both pedals at once: %s", l)
		}
		if len(f[6]) == 3 && f[6] > "120" {
			fast++
		}
		if f[7] == "A10" && len(f[6]) < 3 && f[6] < "40" {
			slow++
		}
	}
	if fast == 0 || slow == 0 {
		t.Errorf("%d fast lines, %d slow ones in A10", fast, slow)
	}
}

func TestSameSeedSameLines(t *testing.T) {
	for _, kind := range []string{"status", "driving"} {
		cfg := config(kind)
		all := lines(cfg, -1)
		if !slices.Equal(all, lines(cfg, -1)) {
			t.Errorf("%s: two runs differ", kind)
		}
		day, _ := parseDate(cfg.Date)
		for _, pos := range []int{0, 1, 2, 3, 4, 100, len(all) - 1} {
			m := newSim(cfg, day)
			m.seek(uint64(pos))
			if got := string(m.next(nil)); got != all[pos] {
				t.Errorf("%s: line %d is %s after a restart, was %s", kind, pos, got, all[pos])
			}
		}
		cfg.Seed = 7
		if slices.Equal(all, lines(cfg, -1)) {
			t.Errorf("%s: another seed gives the same lines", kind)
		}
	}
}

func TestDrivingGoesOnFromDayToDay(t *testing.T) {
	cfg := config("driving")
	cfg.Cars, cfg.Hours = 1, 48
	all := lines(cfg, -1)
	if got := all[43200]; !strings.HasPrefix(got, "20260101235958,") {
		t.Errorf("the first day ends with %s", got)
	}
	if got := all[43201]; !strings.HasPrefix(got, "20260102000000,") {
		t.Errorf("the second day begins with %s", got)
	}
	day, _ := parseDate(cfg.Date)
	m := newSim(cfg, day)
	m.seek(50000)
	if got := string(m.next(nil)); got != all[50000] {
		t.Errorf("line 50000 is %s after a restart, was %s", got, all[50000])
	}
}

func TestHeadersAndTheLastEventOfTheDay(t *testing.T) {
	env := providertest.Env(t)
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions))
	cfg := config("status")
	r := providertest.Start(t, providertest.Make(t, New, cfg, env), out)
	want := 3 + 3*901
	out.Wait(want)
	providertest.Until(t, "the source says that it is complete", func() bool {
		s := env.Stats.Snapshot()
		return s.Health == flow.OK && len(s.Facts) == 1 && s.Facts[0].Label == "complete" && s.Facts[0].Value == "2706"
	})
	r.Stop()
	for i, e := range out.Events() {
		if e.Headers["kind"] != "status" || e.Headers["date"] != "20260101" || e.From != uint64(i) {
			t.Fatalf("event %d: %+v", i, e)
		}
		if last := e.Headers["last"] == "true"; last != (i == want-1) {
			t.Errorf("event %d of %d has last = %v", i, want, last)
		}
	}
}

func TestRealTimeKeepsThePace(t *testing.T) {
	env := providertest.Env(t)
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions))
	cfg := config("driving")
	cfg.Cars, cfg.Speed, cfg.Hours = 100, 20, 0
	start := time.Now()
	r := providertest.Start(t, providertest.Make(t, New, cfg, env), out)
	out.Wait(300)
	took := time.Since(start)
	r.Stop()
	if took < 250*time.Millisecond {
		t.Errorf("300 lines took %v, 1,000 a second are wanted", took)
	}
}

func TestTheFirstDayIsRemembered(t *testing.T) {
	cfg := config("status")
	cfg.Date = ""
	env := providertest.Env(t)
	pos := env.Positions.(*providertest.Positions)
	src := providertest.Make(t, New, cfg, env).(*Source)
	pos.Note(src.key, []byte(`{"date":"20200229"}`))
	out := providertest.NewOut(t, pos)
	r := providertest.Start(t, src, out)
	out.Wait(10)
	r.Stop()
	if got := out.Bodies()[3]; !strings.HasPrefix(got, "20200229000000,") {
		t.Errorf("the first line is %s", got)
	}
}

func TestValidate(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no cars":         func(c *Config) { c.Cars = 0 },
		"a long day":      func(c *Config) { c.Hours = 25 },
		"no date":         func(c *Config) { c.Date = "yesterday" },
		"backwards":       func(c *Config) { c.Speed = -1 },
		"too wild":        func(c *Config) { c.Wild = 2 },
		"endless at once": func(c *Config) { c.Kind, c.Hours = "driving", 0 },
	} {
		cfg := config("status")
		if change(&cfg); cfg.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func BenchmarkLines(b *testing.B) {
	for _, kind := range []string{"status", "driving"} {
		b.Run(kind, func(b *testing.B) {
			cfg := Defaults()
			cfg.Kind, cfg.Date, cfg.Hours = kind, "20260101", 24
			day, _ := parseDate(cfg.Date)
			m := newSim(cfg, day)
			var line []byte
			n := 0
			for b.Loop() {
				if m.done() {
					m.seek(0)
				}
				line = m.next(line[:0])
				n += len(line) + 1
			}
			b.SetBytes(int64(n / max(b.N, 1)))
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
