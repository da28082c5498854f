# The name of this machine as a header.
agent "example" {
  source "tail" "log" {
    include  = ["${path.data}/in/*.log"]
    channels = [channel.all]

    interceptor "host" {}
  }

  channel "disk" "all" {}

  sink "file" "out" {
    channel = channel.all
    path    = "${path.data}/out.log"
  }
}
