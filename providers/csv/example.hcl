# Makes headers of the fields of each line; the second field is left out: 20260101000000,B0042,87 gives time = 20260101000000 and
# speed = 87. event.headers.speed can be used from here on. The line itself stays as it is.
agent "example" {
  source "tail" "log" {
    include  = ["${path.data}/in/*.log"]
    channels = [channel.all]

    interceptor "csv" {
      columns = ["time", "", "speed"]
    }
  }

  channel "disk" "all" {}

  sink "console" "out" {
    channel = channel.all
    format  = "json"
  }
}
