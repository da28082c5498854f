# Removes the header host and all that begin with tmp_: sinks store and send headers, too.
agent "example" {
  source "tail" "log" {
    include  = ["${path.data}/in/*.log"]
    channels = [channel.all]

    interceptor "host" {}
    interceptor "remove_header" {
      names   = ["host"]
      pattern = "^tmp_"
    }
  }

  channel "disk" "all" {}

  sink "console" "out" {
    channel = channel.all
    format  = "json"
  }
}
