# One pipe: every line of some log files, through a durable channel, into one file.
variable "logs" {
  type        = list(string)
  default     = []
  description = "Files to follow, as globs; empty: work/in/*.log of the installation."
}

agent "simple" {
  source "tail" "logs" {
    include  = length(var.logs) > 0 ? var.logs : ["${path.data}/in/*.log"]
    channels = [channel.all]
  }

  channel "disk" "all" {}

  sink "file" "out" {
    channel = channel.all
    path    = "${path.data}/out/all.log"
  }
}

output "in" {
  value = "${path.data}/in"
}

output "out" {
  value = "${path.data}/out/all.log"
}
