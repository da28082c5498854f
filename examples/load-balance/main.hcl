# Load balancing, as Flume's load-balancing sink processor: two disks share the work of one channel. A batch goes to one of them;
# when a disk is full or gone, the other takes everything until it is back. The order of events is kept in each file, not over both.

collect {
  name = "load-balance" # the same installation from every checkout; a copy that is another one gets a name of its own
}

agent "writer" {
  source "generator" "events" {
    rate     = 200
    count    = 1000
    channels = [channel.events]
  }

  channel "disk" "events" { max_size = "256MiB" }

  sink "file" "first" { path = "${path.data}/disk1/events.log" }
  sink "file" "second" { path = "${path.data}/disk2/events.log" }

  sink_group "disks" {
    channel  = channel.events
    strategy = "load_balance"
    policy   = "round_robin" # or "random"
    sinks    = [sink.first, sink.second]
  }
}

output "disks" {
  value = ["${path.data}/disk1", "${path.data}/disk2"]
}
