# Makes headers of parts of an access log.
agent "example" {
  source "tail" "log" {
    include  = ["${path.data}/in/*.log"]
    channels = [channel.all]

    interceptor "regex_extract" {
      pattern = "\"(?P<method>[A-Z]+) (?P<path>\\S+)\" (?P<status>\\d{3})"
    }
  }

  channel "disk" "all" {}

  sink "console" "out" {
    channel = channel.all
    format  = "json"
  }
}
