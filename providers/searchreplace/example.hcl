# Hides all but the last four digits of card numbers: 1234567812345678 becomes ************5678.
agent "example" {
  source "tail" "log" {
    include  = ["${path.data}/in/*.log"]
    channels = [channel.all]

    interceptor "search_replace" {
      pattern = "\\b\\d{12}(\\d{4})\\b"
      replace = "************$1"
    }
  }

  channel "disk" "all" {}

  sink "console" "out" {
    channel = channel.all
    format  = "json"
  }
}
