// One defect: in full for one of its tests, with all others by name.

// Tests whose names stand there at once.
const NAMES_AT_ONCE = 12;

// What the stack of a finding says, by category.
const STACK_TITLES = { leak: "Allocated here", resource: "Opened here", error: "C stack" };

class DefectCard {
  constructor(data, found, { isOpen, jumpToTest }) {
    Object.assign(this, { data, found, jumpToTest });
    this.chosen = found[0];
    this.body = el("div", { class: "body" });
    const first = found[0];
    this.element = el("details", { class: `defect ${first.status}`, id: `defect-${first.defect}` },
      el("summary", {}, this.heading()), this.body);
    this.element.addEventListener("toggle", () => this.build());
    this.element.open = isOpen;
    if (isOpen) this.build();
  }

  heading() {
    const [first] = this.found;
    const isNew = this.found.some((finding) => this.data.newOnes.has(finding.fingerprint));
    return [
      el("span", { class: "badges" },
        el("span", { class: `badge ${first.status}` }, STATUSES[first.status]),
        isNew ? el("span", { class: "badge new" }, "new") : null,
        el("span", { class: "check" }, first.check)),
      el("h3", {}, first.title),
      el("span", { class: "where" }, this.where()),
    ];
  }

  where() {
    const [first] = this.found;
    const tests = new Set(this.found.flatMap((finding) => finding.tests));
    if (first.place === "one of several tests") {
      return this.found.length === 1 ? `in one of ${plural(tests.size, "test")}`
        : `${inNumber(this.found.length)} times, each in one of several tests`;
    }
    if (!tests.size) {
      const times = this.found.length > 1 ? `${inNumber(this.found.length)} times, ` : "";
      return times + (PLACES[first.place] || first.place);
    }
    const places = new Set(this.found.map((finding) => finding.place));
    const place = places.size > 1 || places.has("test") ? "" : `, ${PLACES[first.place]}`;
    return (tests.size === 1 ? `in ${[...tests][0]}` : `in ${plural(tests.size, "test")}`) + place;
  }

  build() {
    if (!this.element.open || this.body.dataset.built) return;
    this.body.dataset.built = "yes";
    this.detail = el("div", { class: "detail" });
    this.show(this.chosen);
    add(this.body, [this.detail, this.found.length > 1 ? this.others() : null]);
  }

  // Show the evidence of one of the findings.
  show(finding) {
    this.chosen = finding;
    if (!this.body.dataset.built) return;
    fill(this.detail, findingView(this.data, finding, this.jumpToTest));
    for (const button of this.body.querySelectorAll("button[data-finding]")) {
      button.setAttribute("aria-pressed", String(button.dataset.finding === finding.id));
    }
  }

  others() {
    const list = el("ul", { class: "occurrences" });
    const holder = el("div", { class: "others" },
      el("h4", {}, `All ${inNumber(this.found.length)} findings of this defect`), list);
    list.append(...this.found.slice(0, NAMES_AT_ONCE).map((finding) => this.occurrence(finding)));
    const rest = this.found.slice(NAMES_AT_ONCE);
    if (rest.length) {
      const button = el("button", { type: "button" }, `Show ${inNumber(rest.length)} more`);
      button.addEventListener("click", () => {
        button.remove();
        list.append(...rest.map((finding) => this.occurrence(finding)));
      });
      holder.append(button);
    }
    return holder;
  }

  occurrence(finding) {
    const name = finding.tests.length > 1
      ? `one of ${plural(finding.tests.length, "test")}, ${finding.tests[0]} …`
      : finding.tests[0] || PLACES[finding.place] || finding.place;
    const button = el("button", {
      type: "button", class: "name", "data-finding": finding.id,
      "aria-pressed": String(finding === this.chosen),
      onclick: () => { this.show(finding); this.detail.scrollIntoView({ block: "nearest" }); },
    }, breakable(name));
    return el("li", {}, button,
      finding.status === this.found[0].status ? null
        : el("span", { class: `badge ${finding.status}` }, STATUSES[finding.status]));
  }
}

function findingView(data, finding, jumpToTest) {
  return [
    sentences(data, finding).map((words) => el("p", { class: "fact" }, words)),
    testsView(data, finding, jumpToTest),
    objectsView(finding),
    growthView(finding),
    finding.stack ? part(STACK_TITLES[finding.category] || "Stack",
      stackView(data, finding.stack)) : null,
    (finding.further || []).filter((further) => further.stack.length)
      .map((further) => part(further.caption,
        stackView(data, further.stack, Boolean(finding.stack)))),
    pythonView(data, finding),
    callerView(data, finding),
    finding.details ? part("Details", el("pre", { class: "text", tabindex: "0" }, finding.details))
      : null,
    finding.log ? folded("Excerpt of valgrind’s log", () =>
      el("pre", { class: "text", tabindex: "0" }, finding.log), { class: "more" }) : null,
    finding.suppression ? folded("Suppression", () => [copyButton(finding.suppression),
      el("pre", { class: "text", tabindex: "0" }, finding.suppression)], { class: "more" }) : null,
    identityView(data, finding),
  ];
}

function part(title, ...content) {
  return el("section", { class: "part" }, el("h4", {}, title), content);
}

// What is known beside the stacks, a sentence each.
function sentences(data, finding) {
  const when = finding.fixture ? `in ${finding.fixture}` : PHASES[finding.phase];
  const times = finding.count > 1 && finding.category !== "leak"
    ? `${inNumber(finding.count)} times` : null;
  const start = finding.message && finding.message !== finding.title ? [finding.message] : [];
  const size = finding.bytes ? `${plural(finding.bytes, "byte")} in ${
    plural(finding.blocks || 1, "block")}` : null;
  const said = start.join("");
  return [
    [...start, size && !said.includes(`${inNumber(finding.bytes)} byte`) ? size : null, times,
      finding.category === "leak" && !finding.fixture ? null : when].filter(Boolean).join(", "),
    finding.reason && !said.includes(finding.reason) && `${finding.status === "failed" ? "" : `${capital(STATUSES[finding.status])
    }: `}${finding.reason}`,
    finding.doubt,
    finding.made_in && `The block was allocated in ${finding.made_in}.`,
    finding.shown_in && `Seen first in ${finding.shown_in}.`,
    finding.process && `In the child process ${finding.process}.`,
  ].filter(Boolean);
}

function capital(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function testsView(data, finding, jumpToTest) {
  if (!finding.tests.length) return null;
  const named = (nodeid) => (data.numbers.has(nodeid)
    ? el("button", { type: "button", class: "name", title: "Show it in the table of tests",
      onclick: () => jumpToTest(nodeid) }, breakable(nodeid))
    : el("code", {}, breakable(nodeid)));
  if (finding.tests.length === 1) return el("p", { class: "test" }, named(finding.tests[0]));
  return folded(`One of ${plural(finding.tests.length, "test")}`, () =>
    el("ul", { class: "occurrences" }, finding.tests.map((nodeid) => el("li", {}, named(nodeid)))),
  { class: "more", open: finding.tests.length <= NAMES_AT_ONCE });
}

function objectsView(finding) {
  const types = Object.entries(finding.types || {});
  if (!types.length && !finding.objects) return null;
  const number = types.reduce((sum, [, count]) => sum + count, 0);
  return part(number > 1 ? `${inNumber(number)} objects lost` : "Object lost",
    number > 1 ? el("ul", { class: "types" }, types.sort((a, b) => b[1] - a[1])
      .map(([type, count]) => el("li", {}, el("code", {}, type), ` × ${inNumber(count)}`))) : null,
    el("ul", { class: "objects" }, (finding.objects || [])
      .map((object) => el("li", {}, el("code", {}, object)))));
}

// What grew when the test was repeated: a number for each window of runs, or a word.
function growthView(finding) {
  const counters = Object.entries(finding.growth || {});
  if (!counters.length) return null;
  return part("Growth by repetition", el("div", { class: "wide", tabindex: "0" }, el("table", {},
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Counter"),
      el("th", { scope: "col" }, "By so much in each run, or window of runs"))),
    el("tbody", {}, counters.map(([name, values]) => el("tr", {},
      el("th", { scope: "row" }, name),
      el("td", {}, Array.isArray(values) ? values.map(inSigned).join(", ") : String(values))))))));
}

function pythonView(data, finding) {
  if (finding.python_note) {
    return el("p", { class: "fact" }, `Python line unknown: ${finding.python_note}`);
  }
  if (!finding.python) return null;
  const title = finding.category === "leak" ? "Lost here in Python" : "In Python";
  const frames = finding.python.map((line, index) => ({ ...line, owner: "Python", isShown: !index }));
  return part(`${title}, the most recent call first`, stackView(data, frames));
}

// Where lines are known, or functions, these say more.
function callerView(data, finding) {
  const { caller } = finding;
  const isNamed = finding.python || (finding.stack || []).some((frame) => frame.owner === "Python");
  if (!caller || isNamed) return null;
  return part(caller.is_test ? "In the test" : "Called from Python",
    stackView(data, [{ ...caller, owner: "Python" }]));
}

function identityView(data, finding) {
  const { location } = finding;
  const since = data.trend.compared && data.trend.since[finding.fingerprint];
  return el("p", { class: "identity" },
    location ? [el("span", {}, "Location "), el("code", {},
      location.line ? `${location.file}:${location.line}` : location.file)] : null,
    el("span", {}, "Check "), el("code", {}, finding.check),
    el("span", {}, "Kind "), el("code", {}, finding.kind),
    since ? [el("span", {}, "Seen first "), inDate(since, true)] : null,
    el("span", {}, "Fingerprint "), el("code", {}, finding.fingerprint));
}
