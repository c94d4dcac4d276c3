-- One row a correction: what a person says that a photo shows, and what the model had answered.
SELECT
  DATE_TRUNC(DATE(corrections.corrected_at), ISOWEEK) AS week,
  answers.label AS answered,
  answers.identified AS identified,
  answers.confidence AS confidence,
  answers.model_version AS model_version,
  corrections.label AS corrected_to,
  corrections.text AS text,
  corrections.comment AS comment,
  corrections.image.uri AS image_uri,
  corrections.corrected_at AS corrected_at
FROM `${documents}` AS corrections
LEFT JOIN `${classifications}` AS answers ON answers.image_uri = corrections.image.uri
WHERE corrections.schema = 'flowers.correction/v1'
