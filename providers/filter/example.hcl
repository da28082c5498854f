# Only lines that begin with a time of 14 digits go on; header lines, for example, do not. What is dropped is counted: see
# collect status. Inside can, what depends on the line may fail; a misspelled name is an error of the configuration all the same.
agent "example" {
  source "tail" "log" {
    include  = ["${path.data}/in/*.log"]
    channels = [channel.all]

    interceptor "filter" {
      keep = can(regex("^\\d{14}", event.body))
    }
  }

  channel "disk" "all" {}

  sink "console" "out" {
    channel = channel.all
    format  = "json"
  }
}
