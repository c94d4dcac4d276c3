"use strict";
// Show the page. Whatever comes from a file or an answer is set as text, never as HTML.

const AT_ONCE = 2;
const AGAIN = ["UNAVAILABLE", "UNREACHABLE", "INTERNAL"];
const MOST_OF_A_PLANT = 5;

// Each plant of this visit: its first photo's file, name, status (waiting, looking, done, failed), and then
// preview (an object URL), result or reason, and chosen (the prediction whose heat map is shown, or null).
// more are the files of further photos of the plant, and unused says why the last of them are not in the result.
const photos = [];
let current = null;
let species = [];
let speciesFailed = false;
let working = 0;

const find = (id) => document.getElementById(id);

/** Return a new element; properties are those of the DOM, children are elements or texts. */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// ── Adding photos ─────────────────────────────────────────────────────────────────────────────────

function take(files) {
  if (files.length === 0) return;
  const added = Array.from(files, (file) => ({ file, name: file.name || "photo", more: [], unused: "", status: "waiting", chosen: null }));
  for (const photo of added) {
    photo.tab = make("button", { type: "button", onclick: () => show(photo) });
    photos.push(photo);
    find("strip").append(make("li", {}, photo.tab));
    showTab(photo);
  }
  document.body.classList.add("started");
  find("visit").hidden = false;
  show(added[0]);
  work();
}

async function work() {
  while (working < AT_ONCE) {
    const photo = photos.find(({ status }) => status === "waiting");
    if (!photo) break;
    working++;
    photo.status = "looking";
    lookAt(photo).finally(() => {
      working--;
      work();
    });
  }
  showProgress();
}

async function lookAt(photo) {
  refresh(photo);
  const sent = await Promise.all([photo.file, ...photo.more].map(prepare));
  photo.preview ??= URL.createObjectURL(sent[0]);
  refresh(photo);
  try {
    photo.result = await classify(sent);
    photo.status = "done";
  } catch (error) {
    if (photo.result) {
      photo.more.length = (photo.result.images?.length ?? 1) - 1;
      photo.unused = explain(error.message).title;
      photo.status = "done";
    } else {
      photo.reason = error.message;
      photo.status = "failed";
    }
  }
  refresh(photo);
  announce(say("says", { file: photo.name, answer: inOneLine(photo) }));
}

/** Classify the plant of `photo` again, with further photos of it. */
function addToPlant(photo, files) {
  const room = MOST_OF_A_PLANT - 1 - photo.more.length;
  if (files.length === 0 || photo.status !== "done") return;
  photo.more.push(...Array.from(files).slice(0, room));
  photo.unused = "";
  photo.chosen = photo.correction = null;
  photo.status = "waiting";
  refresh(photo);
  work();
}

function announce(text) {
  find("live").textContent = text;
}

// ── Words ─────────────────────────────────────────────────────────────────────────────────────────

function nameOf(prediction) {
  return species.find(({ label }) => label === prediction.label)?.names[language] ?? prediction.name;
}

function sureness(confidence) {
  if (confidence >= 0.95) return say("certain");
  if (confidence >= 0.8) return say("likely");
  return say(confidence >= 0.55 ? "probable" : "perhaps");
}

function inOneLine(photo) {
  if (photo.status === "waiting" || photo.status === "looking") return say(photo.status);
  if (photo.status === "failed") return explain(photo.reason).title;
  if (!photo.result.identified) return say("noneTitle");
  const [best] = photo.result.predictions;
  return `${nameOf(best)}, ${sureness(best.confidence).toLowerCase()}, ${percent(best.confidence)}`;
}

// ── Showing ───────────────────────────────────────────────────────────────────────────────────────

function show(photo) {
  current = photo;
  for (const each of photos) each.tab.setAttribute("aria-current", each === photo);
  showAnswer();
  const { top } = find("answer").getBoundingClientRect();
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (top < 0 || top > innerHeight / 2) find("answer").scrollIntoView({ behavior: still ? "auto" : "smooth" });
}

function refresh(photo) {
  showTab(photo);
  showProgress();
  if (photo === current) showAnswer();
}

function showTab(photo) {
  const best = photo.result?.identified ? nameOf(photo.result.predictions[0]) : inOneLine(photo);
  const thumbnail = make("span", { className: "thumbnail" });
  if (photo.preview) {
    thumbnail.append(make("img", { src: photo.preview, alt: "", onerror: (event) => event.target.remove() }));
  }
  photo.tab.className = photo.status;
  photo.tab.title = photo.name;
  photo.tab.replaceChildren(
    thumbnail,
    make("span", { className: "tab-name" }, best),
    make("span", { className: "unseen" }, photo.name),
  );
}

function showProgress() {
  const done = photos.filter(({ status }) => status === "done" || status === "failed").length;
  find("progress").hidden = done === photos.length;
  Object.assign(find("progress-bar"), { max: photos.length || 1, value: done });
  find("progress-text").textContent = say("progress", { done, all: photos.length });
}

function showAnswer() {
  find("answer").hidden = false;
  find("answer").setAttribute("aria-busy", current.status === "waiting" || current.status === "looking");
  showPhoto();
  if (current.status === "done") showResult();
  else if (current.status === "failed") showFault();
  else find("words").replaceChildren(make("h2", { id: "verdict", className: "busy" }, say(current.status)));
  find("terminal").hidden = current.status !== "done";
  find("curl").textContent = curlLine([current.name, ...current.more.map(({ name }) => name)]);
  find("copy").textContent = say("copy");
  showEvidence();
}

function showPhoto() {
  const frame = find("photo");
  const shape = (width, height) => frame.style.setProperty("--ratio", width / height);
  if (current.result) shape(current.result.image.width, current.result.image.height);
  if (!current.preview) return frame.replaceChildren();
  if (frame.firstChild?.src === current.preview) {
    frame.firstChild.alt = say("photoOf", { name: current.name });
    return;
  }
  if (!current.result) shape(4, 3);
  const image = make("img", { src: current.preview, alt: say("photoOf", { name: current.name }) });
  image.onload = () => shape(image.naturalWidth, image.naturalHeight);
  image.onerror = () => image.replaceWith(make("p", { className: "no-preview" }, say("noPreview")));
  frame.replaceChildren(image);
}

function showResult() {
  const { identified, predictions } = current.result;
  const [best] = predictions;
  const verdict = make("h2", { id: "verdict" }, identified ? nameOf(best) : say("noneTitle"));
  const words = identified
    ? [
        make("p", { className: "scientific" }, make("i", { lang: "la" }, best.scientific_name ?? "")),
        ...plant(current.result.species),
        make("p", { className: "sure" }, make("strong", {}, sureness(best.confidence)), " · ", percent(best.confidence)),
        bar(best.confidence),
        make("p", { className: "hint" }, meaning(best.confidence)),
      ]
    : [make("p", { className: "none" }, say("noneText", { count: species.length || "" }))];
  const title = make("h3", {}, say(identified ? "candidates" : "nearest"));
  const list = make("ol", { className: "candidates" });
  predictions.forEach((prediction, index) => list.append(make("li", {}, candidate(prediction, index))));
  find("words").replaceChildren(verdict, ...words, title, list, ...anotherPhoto(current), ...correction(current));
}

/** Show how many photos the answer is from, and a button for another one. */
function anotherPhoto(photo) {
  const count = photo.more.length + 1;
  const parts = count > 1 ? [make("p", { id: "of-plant", className: "hint" }, say("ofPlant", { count }))] : [];
  if (photo.unused) parts.push(make("p", { id: "unused", className: "hint" }, say("unused", { reason: photo.unused })));
  if (count < MOST_OF_A_PLANT) {
    const input = make("input", { id: "another", type: "file", accept: find("choose").accept, multiple: true });
    input.addEventListener("change", () => addToPlant(photo, [...input.files]));
    parts.push(make("label", { className: "button" }, input, make("span", {}, say("another"))));
  }
  return parts;
}

/** Show a form to say what the photos show instead, if the service keeps them; the fields stay as they were filled in. */
function correction(photo) {
  if (document.documentElement.dataset.archived === undefined) return [];
  if (photo.correction) {
    photo.correction.show();
    return [photo.correction.form];
  }
  const kinds = make("select", { id: "kind" });
  const text = make("input", { id: "other-kind", type: "text", maxLength: 100, autocomplete: "off" });
  const kindLabel = make("label", { htmlFor: "kind" });
  const textLabel = make("label", { htmlFor: "other-kind" });
  const button = make("button", { className: "button" });
  const told = make("p", { id: "corrected", className: "hint" });
  told.setAttribute("role", "status");
  const summary = make("summary");
  const fields = make("form", {}, kindLabel, kinds, textLabel, text, button, told);
  const form = make("details", { id: "correction" }, summary, fields);
  let state = "";
  const show = () => {
    const chosen = kinds.value;
    const names = species.map(({ label, names }) => make("option", { value: label }, names[language]));
    names.sort((one, other) => one.textContent.localeCompare(other.textContent, language));
    kinds.replaceChildren(make("option", { value: "" }, say("otherKind")), ...names);
    kinds.value = chosen;
    summary.textContent = say("correction");
    kindLabel.textContent = say("correctKind");
    textLabel.textContent = say("correctText");
    button.textContent = say("correct");
    text.disabled = Boolean(kinds.value);
    told.textContent = state && say(state);
  };
  kinds.onchange = show;
  fields.onsubmit = async (event) => {
    event.preventDefault();
    const said = kinds.value ? { label: kinds.value } : { text: text.value.trim() };
    if (!said.label && !said.text) state = "correctNothing";
    else state = await correct(photo.result, said);
    show();
  };
  photo.correction = { form, show };
  show();
  return [form];
}

/** Show the family, the rank, and a link to the taxon, as far as they are known. */
function plant({ family, rank, inaturalist_taxon_id: taxon }) {
  const words = [family && say("family", { family }), rankText("rankHints", rank)].filter(Boolean);
  const facts = words.length ? [make("p", { className: "plant" }, words.join(" · "))] : [];
  if (Number.isInteger(taxon)) {
    const address = `https://www.inaturalist.org/taxa/${taxon}`;
    const link = make("a", { id: "taxon", href: address, target: "_blank", rel: "noreferrer" }, say("taxon"));
    facts.push(make("p", { className: "plant" }, link));
  }
  return facts;
}

function rankText(table, rank) {
  const texts = TEXTS[language][table];
  return Object.hasOwn(texts, rank) ? texts[rank] : "";
}

function meaning(confidence) {
  const count = Math.round(confidence * 100);
  return count >= 99 ? say("ofHundredMost") : say("ofHundred", { count });
}

function candidate(prediction, index) {
  const content = [
    make("span", { className: "name" }, nameOf(prediction)),
    make("i", { lang: "la" }, prediction.scientific_name ?? ""),
    make("span", { className: "percent" }, percent(prediction.confidence)),
    bar(prediction.confidence),
  ];
  if (!prediction.heatmap) return make("div", {}, ...content);
  return make("button", { type: "button", onclick: () => choose(index) }, ...content);
}

function bar(confidence) {
  const filled = make("span");
  filled.style.width = `${confidence * 100}%`;
  const whole = make("span", { className: "bar" }, filled);
  whole.setAttribute("aria-hidden", "true");
  return whole;
}

function showFault() {
  const { title, advice } = explain(current.reason);
  const photo = current;
  const again = () => {
    photo.status = "waiting";
    refresh(photo);
    work();
  };
  find("words").replaceChildren(
    make("h2", { id: "verdict", className: "fault" }, title),
    make("p", {}, advice),
    make("p", { className: "hint" }, photo.name),
    ...(AGAIN.includes(photo.reason) ? [make("button", { type: "button", className: "button", onclick: again }, say("again"))] : []),
  );
}

// ── Evidence ──────────────────────────────────────────────────────────────────────────────────────

function choose(index) {
  current.chosen = current.chosen === index ? null : index;
  showEvidence();
}

function showEvidence() {
  const { result, chosen } = current;
  find("photo").querySelector(".heat")?.remove();
  find("words")
    .querySelectorAll(".candidates button")
    .forEach((button, index) => button.setAttribute("aria-pressed", index === chosen));
  find("legend").hidden = chosen === null;
  const caption = find("where");
  if (!result) caption.textContent = "";
  else if (!result.predictions[0].heatmap) caption.textContent = say("whereAbsent");
  else if (chosen === null) caption.textContent = say("whereHint");
  else {
    const prediction = result.predictions[chosen];
    const place = placeOf(prediction.heatmap, result.image);
    const values = { name: nameOf(prediction), place: TEXTS[language].places[place] };
    caption.textContent = say(place < 0 ? "whereNone" : "where", values);
    find("photo").append(drawHeatmap(prediction.heatmap, result.image));
  }
}

// ── The species, the language, and what the visitor does ──────────────────────────────────────────

async function loadSpecies() {
  try {
    const response = await fetch(new URL("species", SERVICE));
    if (!response.ok) throw new Error(`species: ${response.status}`);
    species = (await response.json()).species;
  } catch {
    speciesFailed = true;
  }
  showEverything();
}

function showSpecies() {
  const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  const wanted = plain(find("filter").value.trim());
  const named = species.map((each) => ({ ...each, name: each.names[language] }));
  const found = named
    .filter(({ label, names, scientific_name: scientific, family }) =>
      [label, ...Object.values(names), scientific ?? "", family ?? ""].some((text) => plain(text).includes(wanted)),
    )
    .sort((one, two) => one.name.localeCompare(two.name, language));
  find("species-title").textContent = species.length ? say("species", { count: species.length }) : say("speciesLoading");
  find("found").textContent = speciesFailed ? say("speciesFailed") : say("found", { found: found.length, all: species.length });
  find("species-list").replaceChildren(
    ...found.map(({ name, scientific_name: scientific, rank }) => {
      const grade = rankText("ranks", rank);
      const words = [make("span", {}, name), " ", make("i", { lang: "la" }, scientific ?? "")];
      return make("li", {}, ...words, ...(grade ? [" ", make("small", {}, grade)] : []));
    }),
  );
}

function showEverything() {
  document.documentElement.lang = language;
  document.title = say("title");
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", say(element.dataset.label));
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", button.dataset.language === language);
  }
  photos.forEach(showTab);
  showProgress();
  showSpecies();
  if (current) showAnswer();
}

function speak(chosen) {
  language = chosen;
  const address = new URL(location);
  address.searchParams.set("lang", language);
  history.replaceState(null, "", address);
  showEverything();
}

async function copy() {
  try {
    await navigator.clipboard.writeText(find("curl").textContent);
    find("copy").textContent = say("copied");
    announce(say("copied"));
  } catch {
    getSelection().selectAllChildren(find("curl"));
    announce(say("copyByHand"));
    find("copy").textContent = say("copyByHand");
  }
}

for (const input of [find("choose"), find("camera")]) {
  input.addEventListener("change", () => {
    take(input.files);
    input.value = ""; // so that the same photo can be chosen again
  });
}
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => speak(button.dataset.language));
}
find("filter").addEventListener("input", showSpecies);
find("copy").addEventListener("click", copy);
find("api").href = new URL("openapi.json", SERVICE);

document.addEventListener("paste", (event) => take(event.clipboardData.files));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && current && current.chosen !== null) choose(current.chosen);
});
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragging");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dragging");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  if (event.dataTransfer.files.length === 0) announce(say("nothing"));
  take(event.dataTransfer.files);
});

showEverything();
loadSpecies();
