# Makes headers of parts of an access log: "GET /cars/7 HTTP/1.1" 200 gives method = GET, path = /cars/7, status = 200. A line of
# another form stays as it is and gets the header collect.error.
agent "example" {
  source "tail" "log" {
    include  = ["${path.data}/in/*.log"]
    channels = [channel.all]

    interceptor "regex_extract" {
      pattern = "\"(?P<method>[A-Z]+) (?P<path>\\S+)[^\"]*\" (?P<status>\\d{3})"
    }
  }

  channel "disk" "all" {}

  sink "console" "out" {
    channel = channel.all
    format  = "json"
  }
}
