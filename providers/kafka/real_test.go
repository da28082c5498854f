package kafka

import (
	"slices"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"collect/providers/internal/kafkaclient"
	"collect/providers/providertest"
	"collect/runtime/flow"
	"collect/testdata/servertest"
)

// created makes a topic and waits until the broker leads it: a real one answers before that.
func created(t *testing.T, admin *kafkaclient.Admin, bootstrap, topic string, spec kafkaclient.Spec) {
	t.Helper()
	spec.Name, spec.Partitions = topic, max(spec.Partitions, 1)
	if err := admin.Create(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	providertest.Until(t, "the broker leads "+topic, func() bool {
		ends, err := kadm.NewClient(c).ListEndOffsets(t.Context(), topic)
		return err == nil && ends.Error() == nil && len(ends[topic]) == spec.Partitions
	})
}

func TestConformanceOnKafka(t *testing.T) {
	bootstrap := servertest.Kafka(t)
	admin, err := kafkaclient.NewAdmin(kafkaclient.Defaults(), []string{bootstrap})
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			providertest.TestSink(t, func(t *testing.T) providertest.Sink {
				topic := servertest.Unique("conformance-" + engine)
				created(t, admin, bootstrap, topic, kafkaclient.Spec{})
				return providertest.Sink{
					New: func(t *testing.T, env flow.Env) flow.Sink {
						return providertest.Make(t, New, config(engine, topic, []string{bootstrap}), env)
					},
					Received: func(t *testing.T) []string { return values(consume(t, []string{bootstrap}, topic)) },
				}
			})
		})
	}
}

func TestABrokerThatIsKilledLosesNothing(t *testing.T) {
	b := servertest.NewKafka(t)
	admin, err := kafkaclient.NewAdmin(kafkaclient.Defaults(), []string{b.Bootstrap})
	if err != nil {
		t.Fatal(err)
	}
	created(t, admin, b.Bootstrap, "killed", kafkaclient.Spec{})
	admin.Close()
	d := start(t, config("librdkafka", "killed", []string{b.Bootstrap}), providertest.Env(t))
	var want []string
	write := func(n int) {
		for range n {
			bodies := []string{}
			for range 100 {
				bodies = append(bodies, strconv.Itoa(len(want)))
				want = append(want, bodies[len(bodies)-1])
			}
			if err := d.Write(t.Context(), bodies); err != nil {
				d.Requeue()
			}
		}
	}
	write(50)
	b.Kill()
	write(5)
	b.Start(t)
	d.Flush()
	d.Retry()
	d.Close()
	got := values(consume(t, []string{b.Bootstrap}, "killed"))
	order := providertest.FirstOfEach(got)
	if !slices.Equal(order, want) {
		t.Errorf("%d records, %d different, of %d", len(got), len(order), len(want))
	}
	t.Logf("%d records for %d events", len(got), len(want))
}
