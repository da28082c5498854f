collect {
  name             = "all-${var.stage}"
  required_version = ">= 0.1, < 2"
  time_zone        = "Asia/Seoul"
}

variable "stage" {
  type        = string
  default     = "test"
  description = "Where this runs."
  validation {
    condition     = contains(["test", "live"], var.stage)
    error_message = "stage is test or live."
  }
}

variable "cars" {
  type = map(object({
    port  = number
    kinds = optional(list(string), ["status"])
  }))
  default = {
    a = { port = 7100 }
    b = {
      port  = 7200
      kinds = ["status", "driving"]
    }
  }
}

variable "password" {
  default   = "s3cret"
  sensitive = true
}

variable "nothing" {
  default = null
}

locals {
  kinds    = distinct(flatten([for c in var.cars : c.kinds]))
  fallback = try(var.cars.zz.port, 1)
  big      = "x" == "x" ? 5 : 6
  topics   = [for t in topic.cars : t.name]
}

provider "kafka" {
  brokers    = ["a:9092", "b:9092"]
  properties = { "ssl.key.password" = var.password }
  sasl {
    username = "me"
    password = env("PASSWORD")
  }
}

provider "kafka" {
  alias   = "b"
  brokers = ["c:9092"]
}

topic "cars" {
  for_each   = toset(local.kinds)
  name       = "cars-${each.key}"
  partitions = 2 * local.big
  config     = { "cleanup.policy" = "delete" }
}

topic "other" {
  count      = 2
  name       = "other-${count.index}"
  provider   = kafka.b
  depends_on = [topic.cars]
  lifecycle {
    prevent_destroy = true
    ignore_changes  = [config]
  }
}

agent "receiver" {
  for_each     = var.cars
  memory_limit = "256MiB"
  drain        = 90
  dead_letter  = channel.dead
  env          = { PASSWORD = env("PASSWORD"), ZONE = "UTC" }

  source "agent" "in" {
    listen   = "127.0.0.1:${each.value.port}"
    password = "plain"
    in_flight { max_bytes = 1048576 }
    dynamic "route" {
      for_each = each.value.kinds
      iterator = kind
      content {
        when     = event.headers.kind == kind.value
        channels = [channel[kind.value]]
        optional = [channel.dead]
      }
    }
    route { drop = true }
  }

  dynamic "channel" {
    for_each = toset(each.value.kinds)
    labels   = ["disk", channel.value]
    content { max_size = "2GiB" }
  }
  channel "disk" "dead" {}

  dynamic "sink" {
    for_each = each.value.kinds
    iterator = it
    labels   = ["kafka", it.value]
    content {
      channel = channel[it.value]
      topic   = topic.cars[it.value]
      key     = "${each.key}-${event.headers.car}"
      linger  = "1500ms"
      properties = {
        "ssl.key.password" = var.password
        plain              = 5
      }
      dead_letter = var.nothing
    }
  }
  sink "console" "dead" { channel = channel.dead }
}

agent "sender" {
  depends_on = [agent.receiver["a"]]

  source "tail" "log" {
    include = ["logs/*.log", "${path.data}/x", "/var/log/x"]
    interceptor "set" {
      headers = {
        kind          = "status"
        (var.stage)   = event.meta.file
        "with-dashes" = upper(event.headers.x)
      }
    }
    interceptor "filter" {
      drop = event.body == ""
    }
    channels = values({ a = channel.c })
  }
  channel "memory" "c" {}

  sink "agent" "one" {
    to = agent.receiver["a"].source.in
  }
  sink "agent" "two" {
    to = var.stage == "test" ? agent.receiver["b"].source.in : agent.receiver["a"].source.in
  }
  sink_group "both" {
    channel  = channel.c
    sinks    = [for s in ["one", "two"] : sink[s]]
    strategy = "load_balance"
    policy   = "random"
    backoff { max = "1m" }
  }
}

agent "file" {
  count = 1
  source "generator" "g" {
    rate     = 2.5
    body     = "constant"
    channels = [channel.c]
  }
  channel "disk" "c" {}
  sink "file" "f" {
    channel = channel.c
    path    = "${path.data}/out/${event.headers.car}.txt"
    workers = 1
    roll {
      events = count.index + 1
      idle   = "2d"
    }
  }
  sink "kafka" "named" {
    channel   = channel.c
    topic     = "${topic.other[1].name}${event.headers.suffix}"
    partition = tonumber(event.headers.p)
  }
}

output "topics" {
  value       = local.topics
  description = "Names."
}
output "secret" {
  value     = var.password
  sensitive = true
}
output "listen" { value = agent.receiver["b"].source.in.listen }
