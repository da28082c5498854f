# Failover, as Flume's failover sink processor: lines go to a server; while it is away they go to a file on this machine.
# Try it: nothing listens at first, so the lines land in the file. Start a listener (nc -lk 127.0.0.1 5170) and new lines go there;
# stop it, and they go to the file again. collect status shows who gets them.

collect {
  name = "failover" # the same installation from every checkout; a copy that is another one gets a name of its own
}

variable "server" {
  type        = string
  default     = "127.0.0.1:5170"
  description = "Where the lines should go: HOST:PORT"
}

agent "edge" {
  source "tail" "log" {
    include  = ["${path.data}/in/*.log"]
    channels = [channel.lines]
  }

  # Both sinks read this one channel: a line is delivered by the one or the other, and is gone from the channel only then.
  channel "disk" "lines" { max_size = "256MiB" }

  # delivered means taken by the kernel here, since no answer comes back; between agents it will mean stored by the other agent
  sink "socket" "server" { address = var.server }

  sink "file" "local" { path = "${path.data}/kept.log" }

  sink_group "out" {
    channel  = channel.lines
    strategy = "failover"
    sinks    = [sink.server, sink.local] # in order of preference

    backoff {
      initial = "1s" # a server that failed is tried again after this
      max     = "10s"
    }
  }
}

output "kept" {
  value = "${path.data}/kept.log"
}
