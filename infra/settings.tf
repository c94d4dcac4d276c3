# What the functions are told, one variable a setting of function/flowers/settings.py and named as it is there.
# null leaves a setting to the function, whose defaults are the only ones; a bad value is refused before anything is deployed.

variable "allowed_buckets" {
  description = "ALLOWED_BUCKETS: buckets whose objects callers may name as gs:// addresses. The HTTPS function is let read them, so whoever may call learns what they show."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for bucket in var.allowed_buckets : can(regex("^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$", bucket))])
    error_message = "allowed_buckets should hold names of buckets, without gs://."
  }
}

variable "cors_allow_origin" {
  description = "CORS_ALLOW_ORIGIN: the origin of a web page that may call the HTTPS endpoint, or *."
  type        = string
  default     = null

  validation {
    condition     = var.cors_allow_origin == null || can(regex("^(\\*|https?://[^\\s/,]+)$", var.cors_allow_origin))
    error_message = "cors_allow_origin should be an origin without a path, for example https://app.example.org, or *."
  }
}

variable "default_language" {
  description = "DEFAULT_LANGUAGE: of names, en or es."
  type        = string
  default     = null

  validation {
    condition     = var.default_language == null || try(contains(["en", "es"], var.default_language), false)
    error_message = "default_language should be en or es."
  }
}

variable "log_level" {
  description = "LOG_LEVEL: DEBUG, INFO, WARNING, ERROR or CRITICAL. Above INFO the upload metrics and one alert have nothing to count."
  type        = string
  default     = null

  validation {
    condition     = var.log_level == null || try(contains(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], var.log_level), false)
    error_message = "log_level should be DEBUG, INFO, WARNING, ERROR or CRITICAL."
  }
}

variable "max_image_bytes" {
  description = "MAX_IMAGE_BYTES: the largest file that is classified, in bytes."
  type        = number
  default     = null

  validation {
    condition     = var.max_image_bytes == null || try(var.max_image_bytes >= 1, false)
    error_message = "max_image_bytes should be from 1."
  }
}

variable "max_image_pixels" {
  description = "MAX_IMAGE_PIXELS: the largest picture that is classified, in pixels."
  type        = number
  default     = null

  validation {
    condition     = var.max_image_pixels == null || try(var.max_image_pixels >= 1, false)
    error_message = "max_image_pixels should be from 1."
  }
}

variable "model_path" {
  description = "MODEL_PATH: a model other than the bundled one, as a path inside function/ or as gs://bucket/model.onnx; both functions are let read that bucket."
  type        = string
  default     = null

  validation {
    condition     = var.model_path == null || can(regex("^(gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/)?[^:]+\\.onnx$", var.model_path))
    error_message = "model_path should be the path of an ONNX file inside function/, or gs://BUCKET/NAME.onnx; null is the bundled model."
  }
}

variable "pixel_budget" {
  description = "PIXEL_BUDGET: pixels that decoding holds at once in an instance; a pixel takes 4 to 16 bytes of memory."
  type        = number
  default     = null

  validation {
    condition     = var.pixel_budget == null || try(var.pixel_budget >= 1, false)
    error_message = "pixel_budget should be from 1."
  }
}

variable "reject_below" {
  description = "REJECT_BELOW: the confidence, 0 to 1, below which no species is named."
  type        = number
  default     = null

  validation {
    condition     = var.reject_below == null || try(var.reject_below >= 0 && var.reject_below <= 1, false)
    error_message = "reject_below should be from 0 to 1."
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
    error_message = "result_suffix should not be the ending of an image: the upload function could then overwrite images, and would take them for results."
  }
}

variable "top_k" {
  description = "TOP_K: predictions in an answer."
  type        = number
  default     = null

  validation {
    condition     = var.top_k == null || try(var.top_k >= 1, false)
    error_message = "top_k should be from 1."
  }
}
