"use strict";
// Hold all texts of the page, one table per language. `say` fills in the {words} in braces.

const TEXTS = {
  en: {
    brand: "Flower classifier",
    language: "Language",
    title: "What flower is this?",
    lead: "Show me a photograph and I will name the flower, say how sure I am, and show you what makes me think so.",
    choose: "Choose photos",
    camera: "Take a photo",
    dropHint: "You can also drop photos anywhere on this page, or paste one.",
    dropNow: "Let go, and I will have a look",
    nothing: "There was no file in that. Save the picture first, then drop the file here.",
    waiting: "Waiting",
    looking: "Having a look…",
    photoOf: "Your photo {name}",
    noPreview: "Your browser cannot show this kind of file, but the classifier may well read it.",
    certain: "Almost certain",
    likely: "Very likely",
    probable: "Likely",
    perhaps: "Perhaps",
    ofHundred: "Of a hundred answers this sure, about {count} are right.",
    ofHundredMost: "Answers this sure are nearly always right.",
    family: "Family {family}",
    ranks: { genus: "genus", group: "group" },
    rankHints: { genus: "a genus: the name stands for several species", group: "a group: the name stands for several similar kinds" },
    taxon: "This plant on iNaturalist",
    candidates: "What it could be",
    another: "Another photo of this plant",
    ofPlant: "From {count} photos of this plant.",
    unused: "The other photo was not used: {reason}.",
    noneTitle: "None of the flowers I know",
    noneText: "This does not look enough like any of the {count} flowers I know. If it is a flower, try again with one bloom, in focus, filling the middle of the picture.",
    nearest: "The nearest, none of them sure enough",
    whereHint: "Choose a name to see where in the photo the evidence for it lies.",
    where: "The evidence for {name} is strongest {place}.",
    whereNone: "Nothing in the photo speaks for {name}; everything else just fits even less.",
    whereAbsent: "This model cannot show where the evidence lies.",
    places: ["at the top left", "at the top", "at the top right", "on the left", "in the middle", "on the right", "at the bottom left", "at the bottom", "at the bottom right"],
    little: "little evidence",
    much: "much",
    seen: "what I look at",
    terminal: "The same answer in a terminal",
    copy: "Copy",
    copied: "Copied.",
    copyByHand: "Selected: now copy it with Ctrl+C or ⌘C.",
    visit: "Your photos",
    visitHint: "This list stays on this page and is gone when you close it.",
    visitHintArchived: "This list is gone when you close the page. The service keeps the photos that you send.",
    progressLabel: "Photos classified",
    progress: "{done} of {all}",
    again: "Try again",
    says: "{file}: {answer}",
    species: "The {count} flowers I know",
    speciesLoading: "The flowers I know",
    speciesFailed: "The list could not be loaded. Reload the page to try again.",
    filter: "Find a flower",
    found: "{found} of {all}",
    caution: "A name is no advice: never eat or touch a plant because of what you read here.",
    api: "For programs: the API",
    errors: {
      EMPTY_IMAGE: ["This file is empty", "Choose it again, or take the photo once more."],
      UNSUPPORTED_FORMAT: ["This is not a picture I can read", "Send a photo as JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC."],
      UNDECODABLE_IMAGE: ["This picture is damaged", "Part of the file is missing or broken. Copy it from the camera again, or choose another one."],
      IMAGE_TOO_LARGE: ["This picture is too large", "Save a smaller copy of it and send that."],
      UNAVAILABLE: ["Very busy just now", "Nothing is lost. Wait a few seconds and try again."],
      UNREADABLE: ["This file cannot be opened", "It may have been moved or deleted, or it is a folder. Choose the photo itself."],
      UNREACHABLE: ["No answer from the classifier", "Check your connection and try again."],
      INTERNAL: ["Something went wrong on my side", "It is not your photo’s fault. Try again in a while."],
    },
  },
  es: {
    brand: "Clasificador de flores",
    language: "Idioma",
    title: "¿Qué flor es esta?",
    lead: "Enséñame una fotografía y te diré qué flor es, con cuánta seguridad lo sé y qué me hace pensarlo.",
    choose: "Elegir fotos",
    camera: "Hacer una foto",
    dropHint: "También puedes soltar fotos en cualquier parte de la página, o pegar una.",
    dropNow: "Suéltala y le echo un vistazo",
    nothing: "Ahí no había ningún archivo. Guarda primero la imagen y suelta aquí el archivo.",
    waiting: "En espera",
    looking: "Mirando…",
    photoOf: "Tu foto {name}",
    noPreview: "Tu navegador no puede mostrar este tipo de archivo, pero es probable que el clasificador sí lo lea.",
    certain: "Casi seguro",
    likely: "Muy probable",
    probable: "Probable",
    perhaps: "Quizá",
    ofHundred: "De cada cien respuestas tan seguras, unas {count} son correctas.",
    ofHundredMost: "Las respuestas tan seguras son correctas casi siempre.",
    family: "Familia {family}",
    ranks: { genus: "género", group: "grupo" },
    rankHints: { genus: "un género: el nombre abarca varias especies", group: "un grupo: el nombre abarca varias especies parecidas" },
    taxon: "Esta planta en iNaturalist",
    candidates: "Lo que podría ser",
    another: "Otra foto de esta planta",
    ofPlant: "A partir de {count} fotos de esta planta.",
    unused: "La otra foto no se ha usado: {reason}.",
    noneTitle: "Ninguna de las flores que conozco",
    noneText: "No se parece lo suficiente a ninguna de las {count} flores que conozco. Si es una flor, prueba con una sola, enfocada y que llene el centro de la imagen.",
    nearest: "Las más parecidas, ninguna lo bastante segura",
    whereHint: "Elige un nombre para ver en qué parte de la foto están los indicios.",
    where: "Los indicios de {name} son más claros {place}.",
    whereNone: "Nada en la foto apunta a {name}; lo demás simplemente encaja aún menos.",
    whereAbsent: "Este modelo no puede mostrar dónde están los indicios.",
    places: ["arriba a la izquierda", "arriba", "arriba a la derecha", "a la izquierda", "en el centro", "a la derecha", "abajo a la izquierda", "abajo", "abajo a la derecha"],
    little: "pocos indicios",
    much: "muchos",
    seen: "lo que miro",
    terminal: "La misma respuesta en una terminal",
    copy: "Copiar",
    copied: "Copiado.",
    copyByHand: "Seleccionado: cópialo con Ctrl+C o ⌘C.",
    visit: "Tus fotos",
    visitHint: "Esta lista se queda en esta página y desaparece al cerrarla.",
    visitHintArchived: "Esta lista desaparece al cerrar la página. El servicio guarda las fotos que envías.",
    progressLabel: "Fotos clasificadas",
    progress: "{done} de {all}",
    again: "Reintentar",
    says: "{file}: {answer}",
    species: "Las {count} flores que conozco",
    speciesLoading: "Las flores que conozco",
    speciesFailed: "No se pudo cargar la lista. Recarga la página para intentarlo otra vez.",
    filter: "Buscar una flor",
    found: "{found} de {all}",
    caution: "Un nombre no es un consejo: nunca comas ni toques una planta por lo que leas aquí.",
    api: "Para programas: la API",
    errors: {
      EMPTY_IMAGE: ["Este archivo está vacío", "Elígelo de nuevo o repite la foto."],
      UNSUPPORTED_FORMAT: ["No es una imagen que pueda leer", "Envía una foto en JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF o HEIC."],
      UNDECODABLE_IMAGE: ["Esta imagen está dañada", "Falta o está rota una parte del archivo. Cópialo otra vez de la cámara o elige otro."],
      IMAGE_TOO_LARGE: ["Esta imagen es demasiado grande", "Guarda una copia más pequeña y envía esa."],
      UNAVAILABLE: ["Hay mucho trabajo ahora mismo", "No se ha perdido nada. Espera unos segundos y vuelve a intentarlo."],
      UNREADABLE: ["No se puede abrir este archivo", "Quizá se ha movido o borrado, o es una carpeta. Elige la foto misma."],
      UNREACHABLE: ["El clasificador no responde", "Comprueba la conexión y vuelve a intentarlo."],
      INTERNAL: ["Algo ha fallado por mi parte", "La culpa no es de tu foto. Inténtalo dentro de un rato."],
    },
  },
};

function firstLanguage() {
  const asked = new URLSearchParams(location.search).get("lang");
  const wanted = [asked, ...navigator.languages].map((tag) => (tag ?? "").slice(0, 2).toLowerCase());
  return wanted.find((tag) => Object.hasOwn(TEXTS, tag)) ?? "en";
}

let language = firstLanguage();

/** Return the text of `key` in the page's language, its {words} filled in from `values`. */
function say(key, values = {}) {
  return TEXTS[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Return what an error means and what to do about it. */
function explain(reason) {
  const texts = TEXTS[language].errors;
  const [title, advice] = texts[Object.hasOwn(texts, reason) ? reason : "INTERNAL"];
  return { title, advice };
}

/** Return a confidence, 0 to 1, as a whole percentage that never claims 0 or 100. */
function percent(confidence) {
  const write = (value) => new Intl.NumberFormat(language, { style: "percent" }).format(value);
  if (confidence < 0.01) return "< " + write(0.01);
  return confidence >= 0.995 ? "> " + write(0.99) : write(confidence);
}
