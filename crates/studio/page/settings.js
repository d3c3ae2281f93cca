// How it plays: the form, the request made of it, and the link that carries it.

const SLIDERS = ["temperature", "top_p", "repetition_penalty", "seconds"];

/** The numbers behind the words. */
const TELL = {
  temperature: (value) => `temperature ${value.toFixed(2)}`,
  top_p: (value) => (value >= 1 ? "top-p off" : `top-p ${value.toFixed(2)}`),
  repetition_penalty: (value) => (value <= 1 ? "off" : `penalty ${value.toFixed(2)}`),
  seconds: (value) => `${value} s`,
};

const MOODS = {
  calm: { temperature: 0.85, top_p: 0.9, repetition_penalty: 1 },
  usual: { temperature: 1, top_p: 0.98, repetition_penalty: 1 },
  bold: { temperature: 1.15, top_p: 1, repetition_penalty: 1.06 },
};

const element = (id) => document.getElementById(id);

export class Settings {
  constructor() {
    for (const name of SLIDERS) {
      element(name).addEventListener("input", () => this.tell());
    }
    for (const button of document.querySelectorAll("[data-mood]")) {
      button.addEventListener("click", () => this.apply(MOODS[button.dataset.mood]));
    }
    element("seed").addEventListener("input", () => {
      element("new-seed").checked = false;
    });
    element("settings").addEventListener("submit", (event) => event.preventDefault());
    this.tell();
  }

  value(name) {
    return Number(element(name).value);
  }

  /** Sets some of the values. */
  apply(values) {
    for (const [name, value] of Object.entries(values)) element(name).value = value;
    this.tell();
  }

  tell() {
    for (const name of SLIDERS) {
      const text = TELL[name](this.value(name));
      document.querySelector(`output[for="${name}"]`).textContent = text;
      element(name).setAttribute("aria-valuetext", text);
    }
    for (const button of document.querySelectorAll("[data-mood]")) {
      const mood = Object.entries(MOODS[button.dataset.mood]);
      const is = mood.every(([name, value]) => this.value(name) === value);
      button.setAttribute("aria-pressed", String(is));
    }
  }

  /** Shows the models there are, and keeps within the server's limits. */
  models(models, limits) {
    const select = element("model");
    select.replaceChildren(...models.map(({ name }) => new Option(name, name)));
    element("model-setting").hidden = models.length < 2;
    element("seconds").max = Math.min(300, limits.seconds);
    const describe = () => {
      const model = models.find(({ name }) => name === select.value);
      if (!model) return;
      const millions = (model.parameters / 1e6).toFixed(1);
      const lacks = [!model.velocities && "knows no loudness", !model.pedal && "knows no pedal"];
      element("model-facts").textContent = [
        `${model.name}: ${millions} million parameters`,
        `sees ${model.positions} tokens at once`,
        ...lacks.filter(Boolean),
      ].join(", ");
    };
    select.addEventListener("change", describe);
    describe();
    this.tell();
  }

  /** The seed of the next piece; a new one where that is wished. */
  drawSeed() {
    const seed = element("seed");
    if (element("new-seed").checked) seed.value = Math.floor(Math.random() * 1e6);
    return Math.max(0, Math.floor(Number(seed.value) || 0));
  }

  /** A request without its prompt. */
  request() {
    return {
      model: element("model").value || undefined,
      seed: this.drawSeed(),
      variations: element("four").checked ? 4 : 1,
      length: { seconds: this.value("seconds") },
      sampling: {
        temperature: this.value("temperature"),
        top_p: this.value("top_p"),
        repetition_penalty: this.value("repetition_penalty"),
      },
      may_end: element("may_end").checked,
    };
  }

  /** A link that carries settings, seed and what it begins with. */
  link(seed, source) {
    const values = SLIDERS.map((name) => [name, element(name).value]);
    const query = new URLSearchParams([...values, ["seed", seed ?? element("seed").value]]);
    query.set("may_end", element("may_end").checked ? 1 : 0);
    query.set("four", element("four").checked ? 1 : 0);
    if (element("model").value) query.set("model", element("model").value);
    if (source?.example) {
      query.set("example", source.example);
      query.set("prompt", source.seconds.toFixed(2));
    }
    return `${location.origin}/#${query}`;
  }

  /** Takes what a link carries; gives the example to begin with, if any. */
  fromLink() {
    const query = new URLSearchParams(location.hash.slice(1));
    for (const name of SLIDERS) {
      const value = Number(query.get(name));
      if (query.has(name) && Number.isFinite(value)) element(name).value = value;
    }
    for (const name of ["may_end", "four"]) {
      if (query.has(name)) element(name).checked = query.get(name) === "1";
    }
    if (/^\d{1,16}$/.test(query.get("seed") ?? "")) {
      element("seed").value = query.get("seed");
      element("new-seed").checked = false;
    }
    const select = element("model");
    if ([...select.options].some(({ value }) => value === query.get("model"))) {
      select.value = query.get("model");
    }
    this.tell();
    const seconds = Number(query.get("prompt"));
    return query.get("example") && { example: query.get("example"), seconds };
  }
}
