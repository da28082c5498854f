package pipeline

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"collect/hclspec/schema"
	"collect/runtime/flow"
)

func TestASourceThatFailsIsStartedAgain(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("no such file") },
		"panic": func() error { panic("a bug") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				f := w.feed("in")
				f.lines.Store(50)
				n := 3
				f.fail = func() error {
					if n--; n >= 0 {
						return fail()
					}
					return nil
				}
				p := w.start(spec("memory", nil))
				eventually(t, "it is unhealthy", func() bool { h, _ := health(p, schema.Source, "in"); return h != "ok" && h != "waiting" })
				if ok, why := p.Ready(); ok || why != "source.in" {
					t.Errorf("ready %v %s", ok, why)
				}
				eventually(t, "all is delivered", func() bool { return len(w.target("out").lines()) == 50 })
				if h, why := health(p, schema.Source, "in"); h != "ok" {
					t.Errorf("health %s %s", h, why)
				}
				w.drain(p, time.Second)
			})
		})
	}
}

func TestANewProcessGoesOnAtTheAcknowledgedFrontier(t *testing.T) {
	each(t, func(t *testing.T, channel string, w *world) {
		f := w.feed("in")
		f.lines.Store(100)
		var away atomic.Bool
		away.Store(true)
		w.target("out").write = func([]string) error {
			if away.Load() {
				return errors.New("away")
			}
			return nil
		}
		p := w.start(spec(channel, nil))
		time.Sleep(5 * time.Second)
		abandoned := w.drain(p, time.Second)
		if want := map[string]int64{"memory": 100, "journal": 0}[channel]; abandoned != want {
			t.Errorf("abandoned %d, want %d", abandoned, want)
		}
		if left := p.Left(); channel == "journal" && (len(left) != 1 || left[0].Events != 100) {
			t.Errorf("left %v", left)
		}
		if channel == "memory" {
			for _, o := range f.outcomes() {
				if o != flow.Abandoned {
					t.Errorf("acknowledged as %d", o)
				}
			}
		}
		away.Store(false)
		p = w.start(spec(channel, nil))
		eventually(t, "all is delivered", func() bool { return len(w.target("out").lines()) >= 100 })
		time.Sleep(time.Second)
		w.ends(p, 100)
	})
}

func TestInterceptorsDropAndDeadLetter(t *testing.T) {
	each(t, func(t *testing.T, channel string, w *world) {
		w.feed("in").lines.Store(100)
		p := w.start(spec(channel, func(s *schema.AgentSpec) {
			withDead(channel)(s)
			s.Sources[0].Interceptors = []schema.InterceptorSpec{
				{Type: "fake", Config: schema.Config{"drop": "3", "dead": "5"}},
				{Type: "fake", Config: schema.Config{"dead": "1"}},
			}
		}))
		var want, dead []string
		for _, l := range numbers(0, 100) {
			switch {
			case strings.Contains(l, "3"):
			case strings.Contains(l, "5"), strings.Contains(l, "1"):
				dead = append(dead, l)
			default:
				want = append(want, l)
			}
		}
		eventually(t, "all is delivered", func() bool {
			return len(w.target("out").lines()) == len(want) && len(w.target("morgue").lines()) == len(dead)
		})
		w.drain(p, time.Second)
		if d := cmp.Diff(want, w.target("out").lines()); d != "" {
			t.Errorf("delivered (-want +got):\n%s", d)
		}
		slices.Sort(dead)
		if d := cmp.Diff(dead, slices.Sorted(slices.Values(w.target("morgue").lines()))); d != "" {
			t.Errorf("dead letters (-want +got):\n%s", d)
		}
		addUp(t, p)
	})
}

func TestRoutesChooseChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.feed("in").lines.Store(100)
		when := func(src string) any { return map[string]any{"expr": src} }
		p := w.start(spec("memory", func(s *schema.AgentSpec) {
			for _, name := range []string{"d", "e"} {
				s.Channels = append(s.Channels, schema.ChannelSpec{Type: "journal", Name: name})
				s.Sinks = append(s.Sinks, schema.SinkSpec{Type: "fake", Name: name, Channel: name})
			}
			s.Sources[0].Routes = []schema.RouteSpec{
				{When: when(`endswith(event.body, "0")`), Channels: []string{"d"}, Copy: true},
				{When: when(`endswith(event.body, "1")`), Drop: true},
				{When: when(`event.headers.none == "x"`), Channels: []string{"e"}},
				{When: when(`endswith(event.body, "2")`), Channels: []string{"d", "e"}},
				{Channels: []string{"c"}},
			}
		}))
		has := func(suffix ...string) []string {
			return slices.DeleteFunc(numbers(0, 100), func(l string) bool { return !slices.Contains(suffix, l[len(l)-1:]) })
		}
		want := map[string][]string{
			"d": has("0", "2"), "e": has("2"), "out": has("0", "3", "4", "5", "6", "7", "8", "9"),
		}
		eventually(t, "all is delivered", func() bool { return len(w.target("out").lines()) == 80 && len(w.target("d").lines()) == 20 })
		w.drain(p, time.Second)
		for name, lines := range want {
			if d := cmp.Diff(lines, w.target(name).lines()); d != "" {
				t.Errorf("%s (-want +got):\n%s", name, d)
			}
		}
		c := p.Snapshot().Components[0]
		if c.DroppedBy["route"] != 10 || len(c.Facts) != 1 || c.Facts[0].Value != "90" {
			t.Errorf("dropped %v, facts %v", c.DroppedBy, c.Facts)
		}
	})
}

func TestADurableChannelLearnsPositionsThatHoldNothingForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		f := w.feed("in")
		f.lines.Store(50)
		p := w.start(spec("memory", func(s *schema.AgentSpec) {
			s.Channels = append(s.Channels, schema.ChannelSpec{Type: "journal", Name: "d"})
			s.Sinks = append(s.Sinks, schema.SinkSpec{Type: "fake", Name: "d", Channel: "d"})
			s.Sources[0].Routes = []schema.RouteSpec{
				{When: map[string]any{"expr": `event.body == "line 1000"`}, Channels: []string{"d"}},
				{Channels: []string{"c"}},
			}
		}))
		time.Sleep(5 * time.Second)
		f.lines.Store(60)
		time.Sleep(5 * time.Second)
		w.drain(p, time.Second)
		for _, pos := range w.journals["channel.d"].decided {
			if pos != 60 {
				t.Errorf("the channel has decided %d, want 60", pos)
			}
		}
		if len(w.journals["channel.d"].decided) != 1 {
			t.Errorf("keys: %v", w.journals["channel.d"].decided)
		}
	})
}

func TestAPutThatFailsIsTriedAgainAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.feed("in").lines.Store(30)
		fail := 5
		p, err := New(spec("memory", func(s *schema.AgentSpec) {
			s.Channels = append(s.Channels, schema.ChannelSpec{Type: "journal", Name: "d"})
			s.Sinks = append(s.Sinks, schema.SinkSpec{Type: "fake", Name: "d", Channel: "d"})
			s.Sources[0].Routes[0].Channels = []string{"c", "d"}
		}), nil, w.registry(), w.base())
		if err != nil {
			t.Fatal(err)
		}
		w.mu.Lock()
		w.journals["channel.d"] = &journal{decided: map[string]uint64{}, w: w, name: "channel.d", putErr: func() error {
			if fail--; fail >= 0 {
				return errors.New("no space left on device")
			}
			return nil
		}}
		w.mu.Unlock()
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "all is delivered", func() bool { return len(w.target("d").lines()) == 30 && len(w.target("out").lines()) == 30 })
		w.drain(p, time.Second)
		for _, name := range []string{"out", "d"} {
			if d := cmp.Diff(numbers(0, 30), w.target(name).lines()); d != "" {
				t.Errorf("%s (-want +got):\n%s", name, d)
			}
		}
		if h, why := health(p, schema.Source, "in"); h != "ok" {
			t.Errorf("health %s %s", h, why)
		}
	})
}

func TestAFullOptionalChannelDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		f := w.feed("in")
		f.lines.Store(60)
		f.perRun = 1
		big := strings.Repeat("x", 90_000)
		f.body = func(int) string { return big }
		w.target("slow").write = func([]string) error { return errors.New("away") }
		p := w.start(spec("memory", func(s *schema.AgentSpec) {
			s.Channels = append(s.Channels, schema.ChannelSpec{Type: "memory", Name: "d", Config: schema.Config{"max_size": "2MiB"}})
			s.Sinks = append(s.Sinks, schema.SinkSpec{Type: "fake", Name: "slow", Channel: "d"})
			s.Sources[0].Routes[0].Optional = []string{"d"}
		}))
		eventually(t, "all is delivered to the required one", func() bool { return len(w.target("out").lines()) == 60 })
		if n := len(f.outcomes()); n != 60 {
			t.Errorf("acknowledged %d batches", n)
		}
		if c := p.Snapshot().Components[0]; c.DroppedBy["optional_full"] == 0 || c.DroppedBy["optional_full"] == 60 {
			t.Errorf("dropped: %v", c.DroppedBy)
		}
		w.drain(p, time.Second)
	})
}

func TestEmitEndsWhenTheSendersPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.target("out").write = func([]string) error { return errors.New("away") }
		p := w.start(spec("memory", func(s *schema.AgentSpec) { s.Channels[0].Config = schema.Config{"max_size": "2MiB"} }))
		e := p.sources["in"].emitter
		emit := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			b := w.pool.Get()
			b.Begin("x", 0, nil)
			b.AddBody(make([]byte, 700_000), 1)
			return e.Emit(ctx, b)
		}
		if err := emit(); err != nil {
			t.Fatal(err)
		}
		if err := emit(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("emit into a full channel: %v", err)
		}
		w.drain(p, time.Second)
	})
}

func TestEmitEndsAlsoWhenNothingWillEverTakeTheBatch(t *testing.T) {
	for name, edit := range map[string]func(*schema.AgentSpec){
		"too large": func(s *schema.AgentSpec) { s.Channels[0].Config = schema.Config{"max_size": "2MiB"} },
		"nobody takes the dead": func(s *schema.AgentSpec) {
			s.Sources[0].Interceptors = []schema.InterceptorSpec{{Type: "fake", Config: schema.Config{"dead": "x"}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				p := w.start(spec("memory", edit))
				begin := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				b := w.pool.Get()
				b.Begin("x", 0, nil)
				b.AddBody([]byte(strings.Repeat("x", 3<<20)), 1)
				if err := p.sources["in"].emitter.Emit(ctx, b); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("emit: %v", err)
				}
				if d := time.Since(begin); d > 10*time.Second {
					t.Errorf("it took %v", d)
				}
				w.drain(p, time.Second)
			})
		})
	}
}

func TestASourceThatDoesNotListenHoldsUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		f := w.feed("in")
		f.lines.Store(20)
		deaf := make(chan struct{})
		p := w.start(spec("memory", nil))
		eventually(t, "all is delivered", func() bool { return len(w.target("out").lines()) == 20 })
		p.sources["in"].running.Go(func() { <-deaf })
		begin := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := p.Drain(ctx, false); err == nil || !strings.Contains(err.Error(), "source in does not stop") {
			t.Errorf("drain: %v", err)
		}
		if d := time.Since(begin); d > 20*time.Second {
			t.Errorf("the drain took %v", d)
		}
		close(deaf)
	})
}

// What waits for a dead-letter channel whose sink holds it back fills the source's window, although that channel is far from full.
func TestDeadLettersThatAreHeldBackDoNotStopTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.feed("in").lines.Store(400)
		w.target("morgue").hold = true
		p := w.start(spec("journal", func(s *schema.AgentSpec) {
			withDead("memory")(s)
			s.Sources[0].Interceptors = []schema.InterceptorSpec{{Type: "fake", Config: schema.Config{"dead": "7"}}}
			s.Sources[0].Settings = schema.Config{"in_flight": map[string]any{"max_batches": 4.0}}
		}))
		eventually(t, "everything alive is delivered", func() bool { return len(w.target("out").lines()) == 400-76 })
		w.drain(p, time.Second)
	})
}

// What panics between source and channels must not leave the way closed for the next batch, nor room taken for nobody.
func TestAPanicOnTheWayToTheChannelsClosesNothing(t *testing.T) {
	each(t, func(t *testing.T, channel string, w *world) {
		w.feed("in").lines.Store(100)
		p := w.start(spec(channel, func(s *schema.AgentSpec) {
			s.Sources[0].Interceptors = []schema.InterceptorSpec{{Type: "fake", Config: schema.Config{"late": "line 42"}}}
		}))
		eventually(t, "all is delivered", func() bool { return len(w.target("out").lines()) == 100 })
		w.ends(p, 100)
	})
}

// A channel that refused somebody who is gone is not unhealthy for ever.
func TestAChannelIsHealthyWhenNobodyTriesAnyMore(t *testing.T) {
	refuse := func() error { return errors.New("no space") }
	for name, c := range map[string]struct {
		channel string
		refuse  string
		gone    func(*schema.AgentSpec)
	}{
		"a source": {"c", "channel.c", func(s *schema.AgentSpec) { s.Sources = nil }},
		"a sink with dead letters": {"dead", "channel.dead", func(s *schema.AgentSpec) {
			s.Channels = append(s.Channels, schema.ChannelSpec{Type: "journal", Name: "d"})
			s.Sinks[0].Channel = "d"
			s.Sources[0].Routes[0].Channels = []string{"d"}
			s.Channels = s.Channels[1:]
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.target("out").answer = poison
				p := w.start(spec("journal", withDead("journal")))
				w.journals[c.refuse].putErr = refuse
				w.feed("in").lines.Store(10)
				eventually(t, "the channel is unhealthy", func() bool { h, _ := health(p, schema.Channel, c.channel); return h != "ok" })
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				next := spec("journal", withDead("journal"))
				c.gone(next)
				next.Settings["drain"] = "5s"
				if err := p.Reload(ctx, next, nil); err != nil {
					t.Fatal(err)
				}
				if h, why := health(p, schema.Channel, c.channel); h != "ok" {
					t.Errorf("%s: %s", h, why)
				}
				w.drain(p, time.Second)
			})
		})
	}
}
