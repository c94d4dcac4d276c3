# What the functions are told (function/flowers/settings.py). What also decides what is deployed has a variable of its own;
# `settings` takes the rest by their own names. A bad value is refused before anything is deployed.

variable "allowed_buckets" {
  description = "ALLOWED_BUCKETS: buckets whose objects callers may name as gs:// addresses. The HTTPS function may read them, so whoever may call learns what they show."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for bucket in var.allowed_buckets : can(regex("^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$", bucket))])
    error_message = "allowed_buckets should hold names of buckets, without gs://."
  }
}

variable "archive_metadata" {
  description = "ARCHIVE_METADATA: keep archives photos as they were sent, with position, time and camera. null or remove: without them. It needs archive_photos."
  type        = string
  default     = null

  validation {
    condition     = var.archive_metadata == null || contains(["remove", "keep"], coalesce(var.archive_metadata, "remove"))
    error_message = "archive_metadata should be remove or keep."
  }
  validation {
    condition     = var.archive_metadata == null || var.archive_photos
    error_message = "archive_metadata needs archive_photos = true."
  }
}

variable "cors_allow_origin" {
  description = "CORS_ALLOW_ORIGIN: the origin of a web page that may call the HTTPS endpoint, or *. It takes allow_unauthenticated."
  type        = string
  default     = null

  validation {
    condition     = var.cors_allow_origin == null || can(regex("^(\\*|https?://[^\\s/,]+)$", var.cors_allow_origin))
    error_message = "cors_allow_origin should be an origin without a path, for example https://app.example.org, or *."
  }
  validation {
    condition     = var.cors_allow_origin == null || (var.allow_unauthenticated && !try(var.edge.iap, false))
    error_message = "cors_allow_origin needs allow_unauthenticated, and no iap in edge: a browser sends its preflight request without a token, and a private endpoint refuses it."
  }
}

variable "model_path" {
  description = "MODEL_PATH: a model other than the bundled one, as a path inside function/ or as gs://bucket/model.onnx; both functions may then read that bucket."
  type        = string
  default     = null

  validation {
    condition     = var.model_path == null || can(regex("^(gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/)?[^:]+\\.onnx$", var.model_path))
    error_message = "model_path should be the path of an ONNX file inside function/, or gs://BUCKET/NAME.onnx; null is the bundled model."
  }
}

variable "result_suffix" {
  description = "RESULT_SUFFIX: ends the name of a result, after the image's whole name. The upload function may write and replace only objects that end in it."
  type        = string
  default     = ".json"
  nullable    = false

  validation {
    condition     = can(regex("^[._-][A-Za-z0-9._-]{0,62}[A-Za-z0-9]$", var.result_suffix))
    error_message = "result_suffix should be an ending like .json: without one, every result would be an upload again, in an endless loop."
  }
  validation {
    condition     = !can(regex("\\.(avif|bmp|gif|heic|heif|hif|jfif|jpe|jpe?g|png|tiff?|webp)$", lower(var.result_suffix)))
    error_message = "result_suffix should not be an image extension: the upload function could then overwrite images, and would take them for results."
  }
}

variable "settings" {
  description = "Other settings of both functions, by their names, for example { TOP_K = \"3\", LOG_LEVEL = \"DEBUG\" }. Absent: the function's default. With LOG_LEVEL above INFO the upload metrics and one alert have nothing to count."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([for name, value in var.settings : can(regex(
      {
        DEFAULT_LANGUAGE = "^(en|es)$"
        LOG_LEVEL        = "^(DEBUG|INFO|WARNING|ERROR|CRITICAL)$"
        MAX_IMAGE_BYTES  = "^[1-9][0-9]*$"
        MAX_IMAGE_PIXELS = "^[1-9][0-9]*$"
        PIXEL_BUDGET     = "^[1-9][0-9]*$"
        REJECT_BELOW     = "^(0|1|0?\\.[0-9]+|1\\.0+)$"
        TOP_K            = "^[1-9][0-9]*$"
      }[name],
    value))])
    error_message = "settings should hold DEFAULT_LANGUAGE (en or es), LOG_LEVEL (DEBUG to CRITICAL), MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS, PIXEL_BUDGET or TOP_K (whole numbers from 1), or REJECT_BELOW (0 to 1)."
  }
}
