// This run beside earlier ones.

const SHOWN_AT_ONCE = 30;

class TrendView {
  constructor(data, jumpToFinding) {
    Object.assign(this, { data, jumpToFinding, trend: data.trend });
  }

  show() {
    if (!this.trend.compared) return;
    byId("trend").hidden = false;
    document.querySelector('[data-jump="trend"]').hidden = false;
    const { runs, gone } = this.trend;
    const before = inDate(this.trend.compared, true);
    const fresh = this.data.findings.filter((one) => this.data.newOnes.has(one.fingerprint));
    const staying = this.data.findings.filter((one) => !this.data.newOnes.has(one.fingerprint));
    const skipped = this.trend.not_looked_for;
    fill(byId("trend-body"),
      el("p", { class: "lead" }, `${plural(runs.length, "run")}, compared with the one of ${
        before} UTC: ${inNumber(fresh.length)} new, ${inNumber(gone.length)} gone, ${
        inNumber(staying.length)} as before.`),
      el("div", { class: "small-charts" }, this.charts(runs)),
      this.list("New", fresh, true),
      this.list("Gone", gone, false),
      this.list("Not looked for this time", skipped, false,
        "Their tests did not run, or their checks were not made."),
      this.list("As before", staying, true),
      folded(`All ${plural(runs.length, "run")} as a table`, () => this.table(runs),
        { class: "more" }));
    this.draw(runs);
  }

  charts(runs) {
    const memory = runs.some((run) => run.heap !== null) ? "heap" : "rss";
    this.parts = [
      { title: ["Findings (", el("span", { class: "failing" }, "failing"), ")"], of: (run) => run.findings, words: inNumber, second: (run) => run.failed },
      { title: memory === "heap" ? "Live heap at most, after a test" : "Resident set at most",
        of: (run) => run[memory], words: inBytes, isBytes: true },
      { title: "Duration", of: (run) => run.seconds, words: inSeconds },
    ];
    return this.parts.map((part) => {
      part.holder = el("div", { class: "plot" });
      part.read = el("output", {}, this.reading(part, runs, runs.length - 1));
      return el("figure", {}, el("figcaption", {}, el("span", {}, part.title), part.read), part.holder);
    });
  }

  reading(part, runs, index) {
    const run = runs[index];
    const value = part.of(run);
    const words = value === null ? NONE : part.words(value);
    const second = part.second ? `, ${inNumber(part.second(run))} failing` : "";
    return `${words}${second} · ${inDate(run.started, true)}`;
  }

  draw(runs) {
    const numbers = runs.map((_, index) => index + 1);
    for (const part of this.parts) {
      const series = [{ stroke: () => colour("worker-0"), width: 2, spanGaps: true,
        points: { show: runs.length <= 40, size: 6, fill: () => colour("worker-0") } }];
      const values = [numbers, runs.map(part.of)];
      if (part.second) {
        series.push({ stroke: () => colour("failed"), width: 2,
          points: { show: runs.length <= 40, size: 6, fill: () => colour("failed") } });
        values.push(runs.map(part.second));
      }
      chartIn(part.holder, 130, {
        scales: { x: { time: false, range: () => [0.7, runs.length + 0.3] },
          y: { range: rangeWithZero } },
        axes: [axis((value) => (Number.isInteger(value) ? String(value) : ""),
          { size: 24, incrs: [1, 2, 5, 10, 20, 50] }),
        part.isBytes ? bytesAxis({ space: 30 }) : axis((value) => part.words(value), { size: 82,
          space: 30 })],
        series: [{}, ...series],
        cursor: { y: false, drag: { x: false, y: false, setScale: false },
          sync: { key: "trend", scales: ["x", null] } },
        hooks: { setCursor: [(chart) => {
          const index = chart.cursor.idx ?? runs.length - 1;
          part.read.textContent = this.reading(part, runs, index);
        }] },
      }, values);
    }
  }

  list(title, findings, canJump, note = "") {
    if (!findings.length) return null;
    const item = (finding) => el("li", {},
      el("span", { class: `badge ${finding.status}` }, STATUSES[finding.status]), " ",
      canJump ? el("button", { type: "button", class: "name",
        onclick: () => this.jumpToFinding(finding) }, finding.title) : finding.title,
      el("span", { class: "where" }, finding.tests.length ? ` in ${finding.tests[0]}${
        finding.tests.length > 1 ? " or another" : ""}` : ""));
    const make = () => {
      const list = el("ul", { class: "changes" }, findings.slice(0, SHOWN_AT_ONCE).map(item));
      const rest = findings.slice(SHOWN_AT_ONCE);
      const button = rest.length ? el("button", { type: "button", onclick: () => {
        button.remove();
        list.append(...rest.map(item));
      } }, `Show ${inNumber(rest.length)} more`) : null;
      return [note ? el("p", { class: "fact" }, note) : null, list, button];
    };
    return folded(`${title} (${inNumber(findings.length)})`, make,
      { class: "more", open: title === "New" || title === "Gone" });
  }

  table(runs) {
    const cells = (run) => [inDate(run.started, true), run.engines.join(" + ") || "none",
      inNumber(run.tests), inNumber(run.failed), inNumber(run.findings), inBytes(run.heap),
      inBytes(run.rss), inSeconds(run.seconds)];
    const titles = ["Started (UTC)", "Engines", "Tests", "Failing", "Findings", "Live heap",
      "Resident set", "Duration"];
    return el("div", { class: "wide", tabindex: "0" }, el("table", {},
      el("thead", {}, el("tr", {}, titles.map((one) => el("th", { scope: "col" }, one)))),
      el("tbody", {}, [...runs].reverse().map((run) => el("tr", {},
        cells(run).map((cell, index) => el(index ? "td" : "th", index ? {} : { scope: "row" },
          cell)))))));
  }
}
