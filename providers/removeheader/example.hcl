# Headers that must not leave this machine are removed.
agent "example" {
  source "tail" "log" {
    include  = ["${path.data}/in/*.log"]
    channels = [channel.all]

    interceptor "set" { headers = { debug_id = "7", dc = "seoul" } }
    interceptor "remove_header" { pattern = "^debug_" }
  }

  channel "disk" "all" {}

  sink "file" "out" {
    channel = channel.all
    path    = "${path.data}/out.log"
  }
}
