// The picture: memory over the tests, in the order of their reports, and by how much each grew.

// What can be drawn: for the names of the document, whether its unit is bytes.
const MEASURES = {
  heap: { title: "Live heap", isBytes: true },
  rss: { title: "Resident set", isBytes: true },
  blocks: { title: "Live blocks", isBytes: false },
};
const WORKER_COLOURS = 8;
// What fails is drawn last, above all else.
const MARK_ORDER = ["listed", "baseline", "known", "failed"];
// Diameters of marks, by the number of tests that have one.
const SIZES = [[100, 9], [500, 7], [Infinity, 5]];

class MemoryChart {
  constructor(data, jump) {
    Object.assign(this, { data, jump });
    this.measures = Object.keys(MEASURES)
      .filter((name) => data.tests.some((test) => this.ofTest(test, name)));
    this.measure = this.measures[0];
    this.holder = byId("memory-chart");
  }

  // Memory before and after a test, null if it is not known.
  ofTest(test, name = this.measure) {
    const { memory } = test;
    const after = memory && memory[`${name}_end`];
    if (after === null || after === undefined) return null;
    const before = memory[`${name}_start`];
    return { before, after, growth: before === undefined ? null : after - before };
  }

  inWords(value, signed = false) {
    if (MEASURES[this.measure].isBytes) return inBytes(value, signed);
    return signed ? inSigned(value) : inNumber(value);
  }

  show() {
    byId("memory").hidden = !this.data.tests.length;
    if (!this.data.tests.length) return;
    if (!this.measures.length) {
      fill(this.holder, el("p", { class: "empty" }, "No memory was measured in this run."));
      return;
    }
    this.controls();
    this.draw();
  }

  controls() {
    const choices = this.measures.map((name) => {
      const input = el("input", { type: "radio", name: "measure", value: name });
      input.checked = name === this.measure;
      input.addEventListener("change", () => { this.measure = name; this.draw(); });
      return el("label", { class: "chip" }, input, MEASURES[name].title);
    });
    this.reset = el("button", { type: "button", class: "quiet", hidden: true,
      onclick: () => this.zoomOut() }, "Show all tests");
    fill(byId("memory-controls"),
      el("fieldset", {}, el("legend", {}, "Measure"), choices), this.reset);
  }

  draw() {
    const { tests, workers } = this.data;
    const points = tests.map((test) => this.ofTest(test));
    const numbers = tests.map((_, index) => index + 1);
    const lines = workers.map((worker) => tests.map((test, index) =>
      ((test.worker || "") === worker && points[index] ? points[index].after : null)));
    this.heights = this.heightsOfMarks(points);
    const marks = MARK_ORDER.map((status) => tests.map((test, index) =>
      (this.data.statusOf(test.nodeid) === status ? this.heights[index] : null)));
    const growth = points.map((point) => (point ? point.growth : null));
    [, this.markSize] = SIZES.find(([most]) => this.data.byTest.size <= most);
    this.tip = el("div", { class: "tip", hidden: true });
    const upper = el("div", { class: "plot" }), lower = el("div", { class: "plot lower" });
    this.frame = el("div", { class: "plots", tabindex: "0", role: "group",
      "aria-label": `${MEASURES[this.measure].title} over ${plural(tests.length, "test")}. ` +
        "The arrow keys go from test to test, Enter jumps to a test." },
    el("p", { class: "axis-title" }, `${MEASURES[this.measure].title} after each test`), upper,
    el("p", { class: "axis-title" }, "Growth in each test"), lower,
    this.tip);
    fill(this.holder, this.frame, this.legend(marks),
      el("p", { class: "axis-note" }, "Tests in the order of their " +
        "reports. Drag over a part to see it larger; click a test to jump to it."));
    for (const old of [this.upper, this.lower]) if (old) old.destroy();
    const series = [lines.map((_, worker) => this.line(worker)),
      MARK_ORDER.map((status) => this.marks(status))];
    const values = [lines, marks];
    if (this.markSize < 7) for (const both of [series, values]) both.reverse(); // the line above
    this.upper = chartIn(upper, 260, this.options(bytesOr(this.measure), series.flat()),
      [numbers, ...values.flat()]);
    this.lower = chartIn(lower, 120, this.options(bytesOr(this.measure, { space: 20 }), [{
      stroke: () => colour("growth"), fill: () => colour("growth"), width: 0,
      paths: uPlot.paths.bars({ size: [0.7, 14] }), points: { show: false },
    }], { range: rangeWithZero }), [numbers, growth]);
    this.listen();
  }

  // A mark stands on its worker's line: where a test has no memory, at what was known before.
  heightsOfMarks(points) {
    const last = new Map();
    const known = points.filter(Boolean).map((point) => point.after);
    const least = known.reduce((a, b) => Math.min(a, b), Infinity);
    return points.map((point, index) => {
      const worker = this.data.tests[index].worker || "";
      if (point) last.set(worker, point.after);
      return last.get(worker) ?? least;
    });
  }

  options(left, series, scale = {}) {
    return {
      scales: { x: { time: false, range: this.rangeOfTests() }, y: scale },
      axes: [axis((value) => (Number.isInteger(value) ? inNumber(value) : ""), { size: 28,
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000] }),
      left],
      series: [{}, ...series],
      cursor: {
        sync: { key: "memory", scales: ["x", null] },
        drag: { x: true, y: false, setScale: true },
        points: { show: false },
        y: false,
      },
      hooks: {
        setCursor: [(chart) => this.point(chart)],
        setScale: [(chart, key) => key === "x" && this.zoomed(chart)],
      },
    };
  }

  // Half a test more on either side, as its bar takes that.
  rangeOfTests() {
    const last = this.data.tests.length;
    return (chart, min, max) => (min <= 1 && max >= last ? [0.5, last + 0.5] : [min, max]);
  }

  line(worker) {
    const name = `worker-${worker % WORKER_COLOURS}`;
    return {
      stroke: () => colour(name), width: 1.75, spanGaps: true,
      points: { show: this.data.tests.length <= 60, size: 5, fill: () => colour(name) },
    };
  }

  marks(status) {
    const isFull = status === "failed" || this.markSize < 7;
    return {
      stroke: () => colour(status), width: 0, paths: () => null,
      points: {
        show: true, size: this.markSize, width: 2, stroke: () => colour(status),
        fill: () => colour(isFull ? status : "paper"),
      },
    };
  }

  legend(marks) {
    const statuses = MARK_ORDER.filter((_, index) => marks[index].some((y) => y !== null))
      .reverse();
    const workers = this.data.workers.length > 1 ? this.data.workers : [];
    return el("ul", { class: "legend" },
      statuses.map((status) => el("li", {}, el("span", { class: `dot ${status}` }),
        `test with a finding that ${legendWords(status)}`)),
      workers.map((worker, index) => el("li", {},
        el("span", { class: `stroke worker-${index % WORKER_COLOURS}` }), worker || "no worker")));
  }

  zoomed(chart) {
    const { min, max } = chart.scales.x;
    const number = this.data.tests.length;
    if (this.reset) this.reset.hidden = !(min > 1 || max < number);
  }

  zoomOut() {
    for (const chart of [this.upper, this.lower]) {
      chart.setScale("x", { min: 1, max: this.data.tests.length });
    }
  }

  // The cursor is at a test: say what is known of it.
  point(chart) {
    if (chart !== this.upper) return;
    const index = chart.cursor.idx;
    if (index === null || index === undefined || chart.cursor.left < 0) {
      this.tip.hidden = true;
      this.at = null;
      return;
    }
    if (index !== this.at || this.tip.hidden) {
      this.at = index;
      fill(this.tip, this.words(index));
    }
    this.tip.hidden = false;
    const left = chart.over.offsetLeft + chart.valToPos(index + 1, "x");
    const width = this.tip.offsetWidth, room = this.frame.clientWidth;
    const beside = left + 14 + width <= room ? left + 14 : left - 14 - width;
    this.tip.style.left = `${Math.max(0, Math.min(beside, room - width))}px`;
  }

  words(index) {
    const test = this.data.tests[index];
    const point = this.ofTest(test);
    const peak = test.memory && test.memory.rss_peak;
    const found = this.data.byTest.get(test.nodeid) || [];
    const rows = [
      ["Outcome", test.outcome], ["Duration", inSeconds(test.seconds)],
      ["Before", point ? this.inWords(point.before) : NONE],
      ["After", point ? this.inWords(point.after) : NONE],
      ["Growth", point ? this.inWords(point.growth, true) : NONE],
      ["Peak, resident", inBytes(peak)],
      ...(test.worker ? [["Worker", test.worker]] : []),
    ];
    return [
      el("p", { class: "tip-name" }, breakable(test.nodeid)),
      el("dl", {}, rows.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
      found.slice(0, 3).map((finding) => el("p", { class: `tip-finding ${finding.status}` },
        finding.title)),
      found.length > 3 ? el("p", {}, `and ${inNumber(found.length - 3)} more`) : null,
      el("button", { type: "button", onclick: () => this.jump(test) },
        found.length ? "Show the finding" : "Show the test"),
    ];
  }

  listen() {
    for (const chart of [this.upper, this.lower]) {
      let pressed = null;
      chart.over.addEventListener("pointerdown", (event) => { pressed = event; });
      chart.over.addEventListener("click", (event) => {
        const isDrag = pressed && Math.abs(event.clientX - pressed.clientX) > 4;
        // A finger has no place to hover: it gets the words, and the button in them.
        const isFinger = pressed && pressed.pointerType !== "mouse";
        const index = chart.cursor.idx;
        this.frame.classList.toggle("touched", Boolean(isFinger));
        if (isDrag || index === null || index === undefined) return;
        if (!isFinger) this.jump(this.data.tests[index]);
      });
    }
    this.frame.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -50, PageDown: 50,
      Home: -Infinity, End: Infinity };
    const number = this.data.tests.length;
    if (event.target !== this.frame) return;
    if (event.key in steps) {
      event.preventDefault();
      const from = this.at ?? (steps[event.key] > 0 ? -1 : number);
      const to = Math.min(Math.max(from + steps[event.key], 0), number - 1);
      const { min, max } = this.upper.scales.x;
      if (to + 1 < min || to + 1 > max) this.zoomOut();
      this.upper.setCursor({ left: this.upper.valToPos(to + 1, "x"), top: 10 });
    } else if (event.key === "Enter" && this.at !== null && this.at !== undefined) {
      this.jump(this.data.tests[this.at]);
    } else if (event.key === "Escape") {
      this.upper.setCursor({ left: -10, top: -10 });
    }
  }
}

function bytesOr(measure, more = {}) {
  return MEASURES[measure].isBytes ? bytesAxis(more) : axis(inNumber, { size: 74, ...more });
}

function rangeWithZero(chart, min, max) {
  return [Math.min(0, min ?? 0) * 1.1, Math.max(1, max ?? 1) * 1.1];
}

function legendWords(status) {
  return { failed: "fails it", known: "is known", baseline: "is in the baseline",
    listed: "is listed only" }[status];
}
