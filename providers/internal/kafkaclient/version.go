package kafkaclient

import "github.com/confluentinc/confluent-kafka-go/v2/kafka"

// LibraryVersion gives the version of librdkafka, which is linked in.
func LibraryVersion() string {
	_, text := kafka.LibraryVersion()
	return text
}
