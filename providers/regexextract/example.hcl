# Named groups of a pattern become headers.
agent "example" {
  source "tail" "log" {
    include  = ["${path.data}/in/*.log"]
    channels = [channel.all]

    interceptor "regex_extract" {
      pattern = "^(?P<host>\\S+) .* (?P<status>\\d{3})$"
    }
  }

  channel "disk" "all" {}

  sink "file" "out" {
    channel = channel.all
    path    = "${path.data}/out.log"
  }
}
