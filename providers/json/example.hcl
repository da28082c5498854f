# Takes two values out of JSON bodies; what is no JSON is dropped and counted.
agent "example" {
  source "tail" "log" {
    include  = ["${path.data}/in/*.log"]
    channels = [channel.all]

    interceptor "json" {
      fields = {
        car   = "car.number"
        speed = "speed"
      }
      on_error = "drop"
    }
  }

  channel "disk" "all" {}

  sink "console" "out" {
    channel = channel.all
    format  = "json"
  }
}
