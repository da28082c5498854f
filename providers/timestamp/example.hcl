# The time of collection as a header, unless the event has one.
agent "example" {
  source "tail" "log" {
    include  = ["${path.data}/in/*.log"]
    channels = [channel.all]

    interceptor "timestamp" { preserve = true }
  }

  channel "disk" "all" {}

  sink "file" "out" {
    channel = channel.all
    path    = "${path.data}/out.log"
  }
}
