-- Photos of each week by kind, and by tenths of confidence: what shares, distributions and counts are summed from.
SELECT
  DATE_TRUNC(DATE(classified_at), ISOWEEK) AS week,
  model_version,
  label,
  identified,
  LEAST(FLOOR(confidence * 10), 9) / 10 AS confidence_from,
  COUNT(*) AS photos
FROM `${classifications}`
WHERE identified IS NOT NULL
GROUP BY week, model_version, label, identified, confidence_from
