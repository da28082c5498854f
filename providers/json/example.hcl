# Fields of a JSON body become headers; what is no JSON goes on and says so in collect.error.
agent "example" {
  source "tail" "log" {
    include  = ["${path.data}/in/*.log"]
    channels = [channel.all]

    interceptor "json" {
      fields = {
        level = "level"
        host  = "kubernetes.host"
      }
    }
  }

  channel "disk" "all" {}

  sink "file" "out" {
    channel = channel.all
    path    = "${path.data}/out.log"
  }
}
