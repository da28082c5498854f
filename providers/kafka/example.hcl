# Driving data to a topic, in order for each car. Without brokers the development broker takes them.
provider "kafka" {
  brokers = []
}

topic "driver_info" {
  partitions = 4
}

agent "stream" {
  source "tail" "log" {
    include  = ["${path.data}/in/driver.log"]
    channels = [channel.stream]

    interceptor "csv" {
      columns = ["time", "car", "accel", "brake", "wheel", "signal", "speed", "area"]
    }
  }

  channel "disk" "stream" {}

  sink "kafka" "stream" {
    channel     = channel.stream
    topic       = topic.driver_info
    key         = event.headers.car
    headers     = false
    compression = "zstd"
  }
}
