# Batch: the day's file to the warehouse, header lines left out, the day of collection appended to each line.
agent "car_status" {
  source "spooldir" "daily" {
    path     = local.spool
    include  = ["SmartCarStatusInfo_*.txt"]
    channels = [channel.daily]

    interceptor "filter" {
      keep = can(regex("^\\d{14}", event.body))
    }
    interceptor "set" {
      body = "${event.body},${formatdate("YYYYMMDD", event.time)}"
    }
  }

  channel "disk" "daily" {}

  sink "hdfs" "warehouse" {
    channel = channel.daily
    path    = "${local.warehouse}/car-batch-log/wrk_date=${formatdate("YYYYMMDD", event.time)}"

    roll {
      size = "64MiB"
      idle = "10s"
    }
  }
}

# Real time: the driving log to Kafka, in order for each car.
agent "driver_info" {
  source "tail" "realtime" {
    include  = [local.driving]
    channels = [channel.stream]

    interceptor "filter" {
      keep = can(regex("^\\d{14}", event.body))
    }
    interceptor "csv" {
      columns = ["time", "car", "accel", "brake", "wheel", "signal", "speed", "area"]
    }
  }

  channel "memory" "stream" {}

  sink "kafka" "stream" {
    channel = channel.stream
    topic   = topic.driver_info
    key     = event.headers.car
  }
}
