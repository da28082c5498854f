# Takes two values out of JSON bodies: {"car":{"number":"B0042"},"speed":87} gives car = B0042 and speed = 87. What is no JSON is
# dropped and counted.
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
