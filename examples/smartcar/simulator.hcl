# What the cars and drivers do. The status file appears in the spooling directory only when its day is complete.
agent "simulator" {
  source "smartcar" "status" {
    kind     = "status"
    cars     = 100
    date     = var.date
    hours    = var.hours
    channels = [channel.status]
  }

  source "smartcar" "driving" {
    kind     = "driving"
    cars     = 100
    date     = var.date
    speed    = 20
    channels = [channel.driving]
  }

  channel "disk" "status" {} # survives a kill: the day is written once
  channel "memory" "driving" {}

  sink "file" "status" {
    channel    = channel.status
    path       = "${local.spool}/SmartCarStatusInfo_${event.headers.date}.txt"
    close_when = can(event.headers.last)
  }

  sink "file" "driving" {
    channel = channel.driving
    path    = local.driving
  }
}
