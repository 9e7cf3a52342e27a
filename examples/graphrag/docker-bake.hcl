# Development and production from one base, in one run:
#
#     varve bake              the images graphrag:latest and graphrag:dev
#     varve bake test         the service's own tests
#     varve bake --list targets
#
# docker buildx bake reads the same file.

variable "REGISTRY" {
  default     = ""
  description = "where images are pushed to, such as registry.example.com/team"
}

variable "VERSION" {
  default     = ""
  description = "a second tag, such as 1.4.0"
}

variable "PLATFORMS" {
  type        = list(string)
  default     = [BAKE_LOCAL_PLATFORM]
  description = "platforms of the images: linux/amd64,linux/arm64"
}

variable "NODE_IMAGE" {
  default     = "node:20-alpine"
  description = "Alpine or Debian with Node 20 or later"
}

# graphrag:latest and graphrag:1.4.0, or graphrag:dev and graphrag:1.4.0-dev
function "tags" {
  params = [variant]
  result = [
    for tag in compact([
      variant == "" ? "latest" : variant,
      VERSION == "" ? "" : variant == "" ? VERSION : "${VERSION}-${variant}",
    ]) : join("/", compact([REGISTRY, "graphrag:${tag}"]))
  ]
}

group "default" {
  description = "production and development"
  targets     = ["prod", "dev"]
}

target "_common" {
  args      = { NODE_IMAGE = NODE_IMAGE }
  platforms = PLATFORMS
}

target "base" {
  description = "system packages and dependencies, which the images share"
  inherits    = ["_common"]
  dockerfile  = "Dockerfile.base"
  target      = "base"
  tags        = tags("base")
}

target "prod" {
  description = "the image that ships"
  inherits    = ["_common"]
  contexts    = { base = "target:base" }
  target      = "runtime"
  tags        = tags("")
}

target "dev" {
  description = "compiles on every change and restarts"
  inherits    = ["_common"]
  contexts    = { base = "target:base" }
  dockerfile  = "Dockerfile.dev"
  target      = "dev"
  tags        = tags("dev")
}

target "test" {
  description = "the service's own tests; makes no image"
  inherits    = ["_common"]
  platforms   = [BAKE_LOCAL_PLATFORM]
  target      = "test"
  output      = ["type=cacheonly"]
}
