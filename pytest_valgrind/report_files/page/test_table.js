// All tests, with what is known of each; sorted by any column.

const ROWS = 120;

class TestTable {
  constructor(data, chart, jumpToFinding) {
    Object.assign(this, { data, chart, jumpToFinding });
    this.text = "";
    this.withFindings = false;
    this.column = "number";
    this.isDown = false;
    this.rows = data.tests.map((test, index) => this.row(test, index));
    this.body = el("tbody", {});
    this.list = new LongList(this.body, ROWS, (row) => this.view(row));
  }

  row(test, index) {
    const point = this.chart.measure ? this.chart.ofTest(test) : null;
    const found = this.data.byTest.get(test.nodeid) || [];
    return {
      test, found, number: index + 1, nodeid: test.nodeid, outcome: test.outcome,
      seconds: test.seconds, before: point && point.before, after: point && point.after,
      growth: point && point.growth, peak: test.memory && test.memory.rss_peak,
      findings: found.length,
    };
  }

  get columns() {
    const { measure } = this.chart;
    const size = (value) => this.chart.inWords(value);
    return [
      { name: "number", title: "#", words: (row) => inNumber(row.number), isNumber: true },
      { name: "nodeid", title: "Test", words: (row) => el("code", {}, breakable(row.nodeid)) },
      { name: "outcome", title: "Outcome", words: (row) => row.outcome },
      { name: "findings", title: "Findings", words: (row) => this.links(row), isNumber: true },
      { name: "seconds", title: "Duration", words: (row) => inSeconds(row.seconds),
        isNumber: true },
      ...(measure ? [
        { name: "after", title: MEASURES[measure].title, isNumber: true,
          words: (row) => (row.after === null ? NONE : size(row.after)) },
        { name: "growth", title: "Growth", isNumber: true,
          words: (row) => (row.growth === null ? NONE : this.chart.inWords(row.growth, true)) },
        { name: "peak", title: "Peak, resident", isNumber: true,
          words: (row) => inBytes(row.peak) },
      ] : []),
    ];
  }

  links(row) {
    if (!row.findings) return NONE;
    const status = this.data.statusOf(row.nodeid);
    return el("button", { type: "button", class: `badge ${status}`,
      "aria-label": `${plural(row.findings, "finding")}, show`,
      onclick: () => this.jumpToFinding(row.found[0]) }, inNumber(row.findings));
  }

  show() {
    byId("tests").hidden = !this.rows.length;
    if (!this.rows.length) return;
    this.controls();
    this.head = el("tr", {});
    const table = el("table", { class: "tests" },
      el("caption", { class: "off-screen" }, "Tests, in the order of their reports at first"),
      el("thead", {}, this.head), this.body);
    this.list.after = el("div", { class: "wide" }, table);
    fill(byId("test-table"), this.list.after);
    this.refresh();
    addEventListener("beforeprint", () => this.rows.length <= 1000 && this.list.more(1000));
  }

  controls() {
    const text = el("input", { type: "search", placeholder: "part of its name",
      autocomplete: "off", spellcheck: "false" });
    text.addEventListener("input", () => { this.text = text.value.trim(); this.refresh(); });
    const ticked = el("input", { type: "checkbox" });
    ticked.addEventListener("change", () => {
      this.withFindings = ticked.checked;
      this.refresh();
    });
    this.number = el("p", { role: "status", class: "shown" });
    this.inputs = { text, ticked };
    fill(byId("test-controls"), el("label", {}, "Test ", text),
      el("label", { class: "tick" }, ticked, "With findings only"), this.number);
  }

  refresh() {
    const { column } = this;
    const isMissing = (value) => value === null || value === undefined;
    const compare = (a, b) => {
      const [one, other] = [a[column], b[column]];
      if (isMissing(one) || isMissing(other)) return isMissing(one) - isMissing(other);
      const order = typeof one === "string" ? one.localeCompare(other) : one - other;
      return (this.isDown ? -order : order) || a.number - b.number;
    };
    const fitting = this.rows.filter((row) => holds(row.nodeid, this.text)
      && (!this.withFindings || row.findings)).sort(compare);
    fill(this.head, this.columns.map((one) => this.heading(one)));
    this.list.show(fitting);
    fill(this.number, fitting.length === this.rows.length ? plural(fitting.length, "test")
      : `${inNumber(fitting.length)} of ${plural(this.rows.length, "test")}`);
  }

  heading({ name, title, isNumber }) {
    const isIt = name === this.column;
    const order = isIt ? (this.isDown ? "descending" : "ascending") : null;
    const arrow = isIt ? (this.isDown ? " ↓" : " ↑") : "";
    return el("th", { scope: "col", class: isNumber ? "number" : "", "aria-sort": order },
      el("button", { type: "button", onclick: () => this.sort(name, isNumber) }, title + arrow));
  }

  sort(name, isNumber) {
    // Of numbers, the greatest are of interest; the first is what one asks for first.
    const isDownAtFirst = Boolean(isNumber) && name !== "number";
    this.isDown = name === this.column ? !this.isDown : isDownAtFirst;
    this.column = name;
    this.refresh();
    const index = this.columns.findIndex((one) => one.name === name);
    this.head.children[index].firstChild.focus();
  }

  view(row) {
    return el("tr", { class: `outcome-${row.outcome}`, id: `test-${row.number}` },
      this.columns.map(({ name, title, words, isNumber }) => el(name === "nodeid" ? "th" : "td",
        { scope: name === "nodeid" ? "row" : null, "data-title": title,
          class: `${name}${isNumber ? " is-number" : ""}` }, words(row))));
  }

  jumpTo(nodeid) {
    const row = this.rows[this.data.numbers.get(nodeid)];
    if (!row) return;
    if (!this.list.things.includes(row)) {
      this.text = this.inputs.text.value = "";
      this.withFindings = this.inputs.ticked.checked = false;
      this.refresh();
    }
    this.list.reach(row);
    goTo(byId(`test-${row.number}`));
  }
}
