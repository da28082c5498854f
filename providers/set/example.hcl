# Appends the day to each line, and says in headers where it came from.
agent "example" {
  source "tail" "log" {
    include  = ["${path.data}/in/*.log"]
    channels = [channel.all]

    interceptor "set" {
      body = "${event.body},${formatdate("YYYYMMDD", event.time)}"
      headers = {
        kind = "driving"
        file = event.meta.file
      }
    }
  }

  channel "disk" "all" {}

  sink "console" "out" {
    channel = channel.all
    format  = "json"
  }
}
