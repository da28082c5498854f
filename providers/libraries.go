package providers

import (
	"runtime/debug"

	"collect/providers/internal/kafkaclient"
)

// Libraries gives the versions of what is linked in and talks to other systems, by name.
func Libraries() map[string]string {
	all := map[string]string{"librdkafka": kafkaclient.LibraryVersion()}
	names := map[string]string{
		"github.com/confluentinc/confluent-kafka-go/v2": "confluent-kafka-go", "github.com/twmb/franz-go": "franz-go", "github.com/colinmarc/hdfs/v2": "colinmarc/hdfs",
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if name := names[m.Path]; name != "" {
				all[name] = m.Version
			}
		}
	}
	return all
}
