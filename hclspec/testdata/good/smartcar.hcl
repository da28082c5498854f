collect {
  name             = "smartcar"             # the installation; default: the directory's name
  required_version = ">= 0.1"
}

variable "brokers" {
  type        = list(string)
  default     = []                          # empty: the development broker
  description = "Kafka bootstrap servers"
}

provider "kafka" {
  brokers = var.brokers
}

topic "driver_info" {
  name       = "SmartCar-Topic"
  partitions = 4
  config     = { "retention.ms" = duration("10m", "ms") }
}

agent "driver_info" {
  source "tail" "log" {                                    # source TYPE NAME
    include = ["${path.data}/driver-realtime-log/SmartCarDriverInfo.log"]

    interceptor "filter" { keep = can(regex("^\\d{14}", event.body)) }
    interceptor "csv" { columns = ["time", "car", "accel", "brake", "wheel", "signal", "speed", "area"] }

    route {                                                # first match wins; the last has no `when`
      when     = event.headers.speed > 120
      channels = [channel.stream, channel.alerts]          # to both, atomically
    }
    route { channels = [channel.stream] }
  }

  channel "memory" "stream" {}
  channel "disk" "alerts" { max_size = "1GiB" }

  sink "kafka" "stream" {
    channel = channel.stream
    topic   = topic.driver_info
    key     = event.headers.car                            # evaluated per event
  }

  sink "agent" "first" { to = agent.aggregator["5"].source.in }
  sink "agent" "second" { to = agent.aggregator["6"].source.in }
  sink_group "aggregators" {
    channel  = channel.alerts
    strategy = "failover"                                  # failover | load_balance | replicate
    sinks    = [sink.first, sink.second]                   # in order of preference
  }
}

agent "aggregator" {
  for_each = toset(["5", "6"])
  source "agent" "in" {
    listen   = "127.0.0.1:700${each.key}"
    channels = [channel.all]                               # short for one unconditional route
  }
  channel "disk" "all" {}
  sink "hdfs" "warehouse" {
    channel = channel.all
    path    = "hdfs://namenode:8020/collect/${event.headers.kind}/wrk_date=${formatdate("YYYYMMDD", event.time)}"
    roll {
      size = "64MiB"
      idle = "100s"
    }
  }
}
