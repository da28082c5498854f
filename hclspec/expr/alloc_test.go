package expr

import "testing"

// freeExpressions are the usual ones, which must not allocate per event.
func freeExpressions() map[string]Type {
	return map[string]Type{
		`event.headers.speed > 120 && event.headers.level == "WARN"`: TypeBool,
		`can(regex("^\\d{14}", event.body))`:                         TypeBool,
		`can(regex("status=(WARN|ERROR)", event.body))`:              TypeBool,
		`can(regex("\\bWARN\\b", event.body))`:                       TypeBool,
		`contains(["A1", "B0042"], event.headers.car)`:               TypeBool,
		`try(event.headers.none, event.headers.car)`:                 TypeString,
		`event.headers.none == "x"`:                                  TypeBool,
		`event.headers.car > 3`:                                      TypeBool,
		`event.headers.car`:                                          TypeString,
		`"x/${event.headers.car}/wrk_date=${formatdate("YYYYMMDD", intimezone(event.time, "Asia/Seoul"))}"`: TypeString,
		`formatdate("YYYY-MM-DD hh:mm:ss", event.time)`:                                                     TypeString,
		`split(",", event.body)[1]`:                                                                         TypeString,
		`upper(event.headers.level)`:                                                                        TypeString,
		`lower(event.headers.level)`:                                                                        TypeString,
		`replace(event.body, ",", ";")`:                                                                     TypeString,
		`regex("^(\\d{8})\\d*,([^,]*),", event.body)[1]`:                                                    TypeString,
		`regex("(?P<day>\\d{8})\\d*,(?P<car>[^,]*),", event.body).car`:                                      TypeString,
		`jsondecode(event.headers.json).level == "WARN"`:                                                    TypeBool,
		`format("%s-%05d", event.headers.car, event.headers.speed)`:                                         TypeString,
		`lookup({ B0042 = "bus" }, event.headers.car, "other")`:                                             TypeString,
		`substr(event.body, 0, 8)`:                                                                          TypeString,
		`md5(event.headers.car)`:                                                                            TypeString,
		`parsetime("YYYYMMDDhhmmss", substr(event.body, 0, 14))`:                                            TypeString,
		`tonumber(event.headers.speed) * 1.5 + 2`:                                                           TypeNumber,
		`element(split(",", event.body), 1)`:                                                                TypeString,
		`join("-", split(",", event.body))`:                                                                 TypeString,
	}
}

func lineEvent() *fakeEvent {
	return newEvent("20261122173922,B0042,status=WARN,80,91,77,1,1,1,2,A,A,B,73,some more text that makes the line as long as it usually is", map[string]string{
		"speed": "130.5", "level": "WARN", "car": "B0042", "json": `{"time":"20261122","n":[1,2,3],"level":"WARN"}`,
	})
}

func TestUsualExpressionsDoNotAllocate(t *testing.T) {
	ev := lineEvent()
	for src, want := range freeExpressions() {
		p, s := program(t, src, want), new(Scratch)
		run := func() {
			s.Reset()
			ev.time += 1e6
			switch want {
			case TypeBool:
				_, _ = p.Bool(ev, s)
			case TypeNumber:
				_, _ = p.Number(ev, s)
			default:
				_, _ = p.Bytes(ev, s)
			}
		}
		for range 10 {
			run()
		}
		if n := testing.AllocsPerRun(200, run); n > 0 {
			t.Errorf("%s: %v allocations an event", src, n)
		}
	}
}

func BenchmarkEvent(b *testing.B) {
	for src, want := range freeExpressions() {
		b.Run(src, func(b *testing.B) {
			ev, p, s := lineEvent(), program(b, src, want), new(Scratch)
			b.SetBytes(int64(len(ev.body)))
			b.ReportAllocs()
			for b.Loop() {
				s.Reset()
				ev.time += 1e6
				switch want {
				case TypeBool:
					_, _ = p.Bool(ev, s)
				case TypeNumber:
					_, _ = p.Number(ev, s)
				default:
					_, _ = p.Bytes(ev, s)
				}
			}
		})
	}
}

func BenchmarkResidualAndCompile(b *testing.B) {
	src := `event.headers.speed > var.limit && can(regex("^\\d{14}", event.body))`
	e, ctx := parse(b, src), testContext()
	b.Run("residual", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, diags := Residual(e, []byte(src), ctx, TypeBool); diags.HasErrors() {
				b.Fatal(diags)
			}
		}
	})
	r, _ := Residual(e, []byte(src), ctx, TypeBool)
	b.Run("compile", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Compile(r, TypeBool); err != nil {
				b.Fatal(err)
			}
		}
	})
}
