# Numbers of cards are made unreadable before they are stored anywhere.
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

  sink "file" "out" {
    channel = channel.all
    path    = "${path.data}/out.log"
  }
}
