// Which findings are shown. The address of the page keeps it, so that it can be sent to others.

const CATEGORIES = {
  leak: "Leaks", error: "Errors", resource: "Resources", limit: "Limits",
};

class Filters {
  constructor(data, changed) {
    this.data = data;
    this.changed = changed;
    this.values = { status: [], check: [], kind: "", test: "", function: "", only: "" };
    this.read();
    addEventListener("hashchange", () => { this.read(); this.show(); this.changed(); });
  }

  // Take the values from the address.
  read() {
    const given = new URLSearchParams(location.hash.slice(1));
    this.finding = given.get("finding");
    for (const name of Object.keys(this.values)) {
      const value = given.get(name) || "";
      const several = Array.isArray(this.values[name]);
      this.values[name] = several ? value.split(",").filter(Boolean) : value;
    }
  }

  write() {
    const given = new URLSearchParams();
    for (const [name, value] of Object.entries(this.values)) {
      if (value.length) given.set(name, value);
    }
    if (this.finding) given.set("finding", this.finding);
    const text = given.toString().replaceAll("%2C", ",");
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  }

  get areAny() {
    return Object.values(this.values).some((value) => value.length);
  }

  clear() {
    this.values = { status: [], check: [], kind: "", test: "", function: "", only: "" };
    this.set();
  }

  // Use other values.
  set(values = {}) {
    Object.assign(this.values, values);
    this.finding = null;
    this.write();
    this.show();
    this.changed();
  }

  // Whether a finding fits, whatever the value of one of the filters is.
  fits(finding, but = "") {
    const { status, check, kind, test, function: named, only } = this.values;
    const has = (name, value) => but === name || !value.length;
    return (has("status", status) || status.includes(finding.status))
      && (has("check", check) || check.includes(finding.check))
      && (has("kind", kind) || kind === finding.kind || kind === `any ${finding.category}`)
      && (has("test", test) || finding.tests.some((nodeid) => holds(nodeid, test)))
      && (has("function", named) || finding.functions.some((name) => holds(name, named)))
      && (has("only", only) || this.data.newOnes.has(finding.fingerprint));
  }

  build(form) {
    this.form = form;
    form.addEventListener("submit", (event) => event.preventDefault());
    const { findings } = this.data;
    this.chips = [
      ...chipsOf("status", STATUS_ORDER, findings, (name) => STATUSES[name]),
      ...chipsOf("check", undefined, findings, (name) => name),
    ];
    const kinds = el("select", { name: "kind" }, el("option", { value: "" }, "All kinds"),
      Object.entries(CATEGORIES).map(([category, title]) => this.kindsOf(category, title)));
    const functions = countedNames(findings).slice(0, 300);
    fill(form,
      this.fieldset("Status", "status"),
      this.fieldset("Check", "check"),
      el("div", { class: "fields" },
        el("label", {}, "Kind", kinds),
        el("label", {}, "Test", el("input", { type: "search", name: "test",
          placeholder: "part of its name", autocomplete: "off", spellcheck: "false" })),
        el("label", {}, "C function", el("input", { type: "search", name: "function",
          placeholder: "part of its name", list: "functions", autocomplete: "off",
          spellcheck: "false" })),
        el("datalist", { id: "functions" }, functions.map((name) => el("option", { value: name }))),
        this.data.trend.compared
          ? el("label", { class: "tick" }, el("input", { type: "checkbox", name: "only" }),
            "New since the run before") : null));
    form.addEventListener("input", (event) => this.take(event.target));
    this.show();
  }

  fieldset(title, name) {
    const chips = this.chips.filter((chip) => chip.name === name);
    return el("fieldset", {}, el("legend", {}, title), chips.map((chip) => chip.label));
  }

  kindsOf(category, title) {
    const kinds = [...new Set(this.data.findings
      .filter((finding) => finding.category === category).map((finding) => finding.kind))].sort();
    if (!kinds.length) return null;
    return el("optgroup", { label: title },
      el("option", { value: `any ${category}` }, `All ${title.toLowerCase()}`),
      kinds.map((kind) => el("option", { value: kind }, kind)));
  }

  take(input) {
    const { name } = input;
    if (name === "only") this.set({ only: input.checked ? "new" : "" });
    else if (input.type === "checkbox") {
      const ticked = this.chips.filter((chip) => chip.name === name && chip.input.checked);
      this.set({ [name]: ticked.map((chip) => chip.value) });
    } else this.set({ [name]: input.value.trim() });
  }

  // Have the form say what the values are, and how many findings each would leave.
  show() {
    if (!this.form) return;
    for (const name of ["kind", "test", "function"]) {
      const input = this.form.elements[name];
      if (document.activeElement !== input) input.value = this.values[name];
    }
    if (this.form.elements.only) this.form.elements.only.checked = Boolean(this.values.only);
    for (const chip of this.chips) {
      chip.input.checked = this.values[chip.name].includes(chip.value);
      const number = this.data.findings.filter(
        (finding) => finding[chip.name] === chip.value && this.fits(finding, chip.name)).length;
      chip.number.textContent = inNumber(number);
      chip.label.classList.toggle("none", number === 0);
    }
  }
}

function holds(text, part) {
  return text.toLowerCase().includes(part.toLowerCase());
}

function chipsOf(name, order, findings, words) {
  const there = new Set(findings.map((finding) => finding[name]));
  return (order || [...there].sort()).filter((value) => there.has(value)).map((value) => {
    const input = el("input", { type: "checkbox", name, value });
    const number = el("span", { class: "number" });
    const label = el("label", { class: `chip ${name}-${value}` }, input, words(value), number);
    return { name, value, input, number, label };
  });
}

// Names of C functions, those of the most findings first.
function countedNames(findings) {
  const counts = new Map();
  for (const finding of findings) {
    for (const name of finding.functions) counts.set(name, (counts.get(name) || 0) + 1);
  }
  return [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a));
}
