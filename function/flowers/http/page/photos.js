"use strict";
// Scale photos down in the browser, send them to the classifier, and read its answers.

// The model sees 224 pixels of the middle square; this leaves it far more than it needs.
const SHORT_SIDE = 768;
const JPEG_QUALITY = 0.92;
const MOST_BYTES = 32 * 1024 * 1024;
const PATIENCE_MS = 60_000;

// The address that answers, with a slash at its end: the function may be served below a path.
const SERVICE = new URL(location.pathname.replace(/\/?$/, "/"), location.origin);

/** Return the address for so many photos of a plant, which the curl line quotes too. */
function classifyAddress(count) {
  const address = new URL(SERVICE);
  address.search = new URLSearchParams({ lang: language, heatmap: "1", ...(count > 1 && { fuse: "1" }) });
  return address;
}

/** Return what to send for a file: a large photo scaled down and upright, any other file unchanged. */
async function prepare(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file); // turned upright by its EXIF orientation
  } catch {
    return file;
  }
  const scale = SHORT_SIDE / Math.min(bitmap.width, bitmap.height);
  if (scale >= 1) {
    bitmap.close();
    return file;
  }
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(bitmap.width * scale);
  canvas.height = Math.round(bitmap.height * scale);
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return new Promise((resolve) => canvas.toBlob((blob) => resolve(blob ?? file), "image/jpeg", JPEG_QUALITY));
}

/** Return the body of a request with the files of `prepare`: one photo as it is, several as a form. */
function bodyOf(sent) {
  if (sent.length === 1) return { body: sent[0], headers: { "Content-Type": "application/octet-stream" } };
  const body = new FormData();
  for (const photo of sent) body.append("image", photo, "photo");
  return { body };
}

/** Return the result document for photos from `prepare`. Throw an Error whose message is the reason of a failure. */
async function classify(sent) {
  if (sent.reduce((sum, { size }) => sum + size, 0) > MOST_BYTES) throw new Error("IMAGE_TOO_LARGE");
  try {
    for (const photo of sent) await photo.slice(0, 1).arrayBuffer();
  } catch {
    throw new Error("UNREADABLE");
  }
  let response;
  try {
    response = await fetch(classifyAddress(sent.length), {
      method: "POST",
      ...bodyOf(sent),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch {
    throw new Error("UNREACHABLE");
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok && answer.predictions) return answer;
  throw new Error(answer.error?.reason ?? ([429, 502, 503, 504].includes(response.status) ? "UNAVAILABLE" : "INTERNAL"));
}

/** Send a correction of each photo in a result, and return the key of the text that says what became of it. */
async function correct(result, said) {
  for (const { sha256 } of result.images ?? [result.image]) {
    let response;
    try {
      response = await fetch(new URL("corrections", SERVICE), {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ sha256, classified_at: result.classified_at, ...said }),
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
    } catch {
      return "correctFailed";
    }
    if (response.status === 404) return "correctNotYet";
    if (!response.ok) return "correctFailed";
  }
  return "corrected";
}

/** Return the command that gives the same answer; names are quoted for a POSIX shell, and `@-` would be standard input. */
function curlLine(names) {
  const quote = (text) => "'" + text.replaceAll("'", "'\\''") + "'";
  const files = names.map((name) => (name === "-" ? "./-" : name));
  // In a form, curl takes a name in double quotes, and in it a backslash before a quotation mark or a backslash.
  const inForm = (name) => `-F ${quote(`image=@"${name.replace(/["\\]/g, "\\$&")}"`)}`;
  const sent = files.length === 1 ? `--data-binary ${quote("@" + files[0])}` : files.map(inForm).join(" ");
  return `curl ${sent} ${quote(classifyAddress(files.length).href)}`;
}
