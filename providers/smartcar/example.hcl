# What 100 drivers do, written as it happens: each gives a line every 2 simulated seconds, which at speed 20 is every 100 ms, so
# 1,000 lines a second. The same seed gives the same lines.
agent "simulator" {
  source "smartcar" "driving" {
    kind     = "driving"
    cars     = 100
    date     = "20260101"
    speed    = 20
    channels = [channel.driving]
  }

  channel "memory" "driving" {}

  sink "file" "log" {
    channel = channel.driving
    path    = "${path.data}/driver-realtime-log/SmartCarDriverInfo.log"
  }
}
