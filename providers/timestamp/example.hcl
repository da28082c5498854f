# Writes the time at which a line came in into the header timestamp, in milliseconds since 1970. A line that has the header already,
# from an interceptor before, keeps it.
agent "example" {
  source "tail" "log" {
    include  = ["${path.data}/in/*.log"]
    channels = [channel.all]

    interceptor "timestamp" {
      preserve = true
    }
  }

  channel "disk" "all" {}

  sink "console" "out" {
    channel = channel.all
    format  = "json"
  }
}
