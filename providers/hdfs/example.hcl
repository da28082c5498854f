# A day's files into the warehouse, a directory for each day.
agent "archive" {
  source "spooldir" "daily" {
    path     = "${path.data}/spool"
    channels = [channel.daily]
  }

  channel "disk" "daily" {}

  sink "hdfs" "warehouse" {
    channel = channel.daily
    path    = "hdfs://namenode:8020/warehouse/wrk_date=${formatdate("YYYYMMDD", event.time)}"
    user    = "collect"

    roll {
      size = "64MiB"
      idle = "100s"
    }
  }
}
