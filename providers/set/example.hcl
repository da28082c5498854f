# Appends the day on which a line came in, and says in headers where it came from. Everything is computed from the event as it was,
# and then changed.
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
