# One pipe: every line of some log files, through a durable channel, into one file.
# Try it: collect apply, then append lines to any file NAME.log in the folder that the output in names; they come out behind each other in
# the file out. collect status shows how many passed. Kill the agent in the middle: no line is lost.

collect {
  name = "simple" # the same installation from every checkout; a copy that is another one gets a name of its own
}

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

  channel "disk" "all" {} # a line is acknowledged to the source when it is safe on the disk

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
