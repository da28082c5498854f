# Gives each event a name of its own. A line that is read again after a crash gets the same one, so that whoever receives it twice
# can tell.
agent "example" {
  source "tail" "log" {
    include  = ["${path.data}/in/*.log"]
    channels = [channel.all]

    interceptor "uuid" {
      header = "event_id"
    }
  }

  channel "disk" "all" {}

  sink "console" "out" {
    channel = channel.all
    format  = "json"
  }
}
