package kafka

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

func TestBrokersThatAreSilentShowInStatus(t *testing.T) {
	each(t, func(t *testing.T, engine string) {
		c := cluster(t)
		cfg := config(engine, "one", c.ListenAddrs())
		cfg.Idempotent = false // it asks for more than produce
		env := providertest.Env(t)
		s := providertest.Make(t, New, cfg, env).(*Sink)
		s.silence.after = 50 * time.Millisecond
		d := providertest.Open(t, s, env)
		answer := make(chan struct{})
		c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			c.SleepControl(func() { <-answer })
			return nil, nil, false
		})
		d.Must([]string{"x"})
		want := "kafka " + c.ListenAddrs()[0] + " does not acknowledge what was sent"
		providertest.Eventually(t, "it says so", func() bool {
			h := env.Stats.Snapshot()
			return h.Health == flow.Waiting && h.Why == want
		})
		close(answer)
		d.Flush()
		providertest.Eventually(t, "it is well again", func() bool { return env.Stats.Snapshot().Health == flow.OK })
		d.Close()
	})
}
