-- One row an image: its newest document, with the first prediction or the error.
SELECT
  ${image_uri} AS image_uri,
  image.generation AS generation,
  identified,
  predictions[SAFE_OFFSET(0)].label AS label,
  predictions[SAFE_OFFSET(0)].scientific_name AS scientific_name,
  predictions[SAFE_OFFSET(0)].name AS name,
  predictions[SAFE_OFFSET(0)].confidence AS confidence,
  error.reason AS error_reason,
  error.message AS error_message,
  image.format AS format,
  image.width AS width,
  image.height AS height,
  image.bytes AS bytes,
  image.sha256 AS sha256,
  model.name AS model_name,
  model.version AS model_version,
  classified_at,
  timing_ms.total AS total_ms,
  ${document_uri} AS document_uri
FROM `${documents}`
WHERE schema IN ('flowers.result/v1', 'flowers.error/v1')
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY ${image}
  ORDER BY SAFE_CAST(image.generation AS INT64) DESC, classified_at DESC
) = 1
