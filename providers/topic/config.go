// Package topic is the resource "topic": it makes, changes and deletes Kafka topics so that they are as declared.
//
// Only what is declared is compared and changed: other settings, other topics and the brokers' own are never touched. Partitions grow
// in place; fewer of them, or another replication factor, is an error that says what to do. A topic that exists already is adopted
// and never deleted. A read that fails is an error, never a difference.
package topic

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"collect/hclspec/schema"
	"collect/providers/internal/kafkaclient"
)

// Config is the configuration of a topic.
type Config struct {
	Name              string             `collect:"name" doc:"Name on the brokers; by default that of the block."`
	Partitions        int                `collect:"partitions" doc:"Number of partitions. It can only grow; keys then move to other partitions."`
	ReplicationFactor int                `collect:"replication_factor" doc:"Copies of each partition, fixed when the topic is made; by default as many as the brokers say. The development broker has one."`
	Config            map[string]string  `collect:"config" doc:"Settings of the topic, such as retention.ms. Others are left alone; one that is taken out goes back to the brokers' default."`
	Provider          kafkaclient.Config `collect:"provider,provider=kafka" doc:"The cluster."`
}

// Defaults gives the defaults.
func Defaults() Config { return Config{Partitions: 1, Provider: kafkaclient.Defaults()} }

// About describes the resource.
func About() schema.About {
	return schema.About{Doc: "A Kafka topic. It is made when it is not there, and adopted when it is; an adopted topic is never deleted. Deleting one that holds records needs -confirm-loss, which covers the records that the plan shows and what the agents that the same plan stops still write to it until then; if it grows after that, somebody else writes to it, and it is not deleted."}
}

// maxPartitions is far above what one topic should have; more is a slip of the hand.
const maxPartitions = 10_000

// Validate checks everything that the brokers would refuse, without asking them: the development broker takes what Kafka does not. Its
// error joins all that is wrong, each beginning with its argument.
func (c Config) Validate() error {
	var errs []error
	if c.Name != "" {
		if err := kafkaclient.CheckTopicName(c.Name); err != nil {
			errs = append(errs, fmt.Errorf("name: %w", err))
		}
	}
	if c.Partitions < 1 || c.Partitions > maxPartitions {
		errs = append(errs, fmt.Errorf("partitions must be between 1 and %d, not %d", maxPartitions, c.Partitions))
	}
	if c.ReplicationFactor < 0 || c.ReplicationFactor > 32767 {
		errs = append(errs, fmt.Errorf("replication_factor must be at least 1, not %d", c.ReplicationFactor))
	}
	for _, key := range keys(c.Config) {
		if err := checkSetting(key, c.Config[key]); err != nil {
			errs = append(errs, err)
		}
	}
	if err := c.checkTogether(); err != nil {
		errs = append(errs, err)
	}
	if err := c.Provider.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("provider: %w", err))
	}
	return errors.Join(errs...)
}

// checkTogether finds settings that contradict each other.
func (c Config) checkTogether() error {
	if c.ReplicationFactor > 0 && c.Config["min.insync.replicas"] != "" {
		min, err := whole(c.Config["min.insync.replicas"])
		if err == nil && min > int64(c.ReplicationFactor) {
			return fmt.Errorf("config: min.insync.replicas = %d is more than replication_factor = %d, so nothing could be written", min, c.ReplicationFactor)
		}
	}
	return nil
}

func keys(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// development says whether the development broker is meant.
func (c Config) development() bool {
	return slices.Contains(c.Provider.Brokers, kafkaclient.DevelopmentBroker)
}

var errNoName = errors.New("the topic has no name")

// decode reads what the configuration wants.
func decode(want map[string]any, secrets schema.Secrets) (Config, error) {
	c := Defaults()
	if err := schema.Decode(schema.Config(want), secrets, &c); err != nil {
		return c, err
	}
	if c.Name == "" {
		return c, errNoName
	}
	if c.development() { // it has one node
		c.ReplicationFactor = 0
	}
	return c, nil
}

// tree gives a topic as plan and state show it.
func tree(name string, partitions, replicas int, config map[string]string) map[string]any {
	out := map[string]any{"name": name, "partitions": float64(partitions)}
	if replicas > 0 {
		out["replication_factor"] = float64(replicas)
	}
	if len(config) > 0 {
		m := map[string]any{}
		for k, v := range config {
			m[k] = v
		}
		out["config"] = m
	}
	return out
}

// texts reads a map of strings out of JSON.
func texts(v any) map[string]string {
	out := map[string]string{}
	if m, ok := v.(map[string]any); ok {
		for k, e := range m {
			if s, ok := e.(string); ok {
				out[k] = s
			}
		}
	}
	if m, ok := v.(map[string]string); ok {
		return m
	}
	return out
}

// hostsOf gives the brokers for messages.
func hostsOf(c Config) string { return strings.Join(c.Provider.Brokers, ", ") }
