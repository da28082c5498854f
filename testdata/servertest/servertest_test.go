package servertest_test

import (
	"net"
	"os"
	"testing"

	"collect/testdata/servertest"
)

func TestMain(m *testing.M) { os.Exit(servertest.Main(m)) }

func TestServersStartAndListen(t *testing.T) {
	for name, address := range map[string]string{"Kafka": servertest.Kafka(t), "HDFS": servertest.HDFS(t)} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		c.Close()
	}
}
