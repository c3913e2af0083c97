// Puts the page together.

function themeButton() {
  const button = byId("theme");
  const themes = ["auto", "light", "dark"];
  const stored = () => { try { return localStorage.getItem("memory-report-theme"); } catch { return null; } };
  const use = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    dispatchEvent(new Event("themechange"));
  };
  let current = themes.includes(stored()) ? stored() : "auto";
  button.addEventListener("click", () => {
    current = themes[(themes.indexOf(current) + 1) % themes.length];
    // A browser may keep nothing for pages from files.
    try { localStorage.setItem("memory-report-theme", current); } catch { /* then not */ }
    use(current);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change",
    () => dispatchEvent(new Event("themechange")));
  use(current);
}

// The address holds the filters, so that the sections are reached without it.
function sectionLinks() {
  for (const link of document.querySelectorAll("[data-jump]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      goTo(byId(link.dataset.jump));
    });
  }
}

function terminalSummary(data) {
  const { summary } = data.document;
  if (!summary.length) return;
  const place = byId("summary");
  place.replaceWith(folded(`Summary in the terminal (${plural(summary.length, "line")})`,
    () => el("pre", { class: "text", tabindex: "0" }, summary.join("\n")), { class: "more" }));
}

async function start() {
  themeButton();
  sectionLinks();
  const data = new RunData(await unpacked("run-document"), await unpacked("run-trend"));
  byId("progress").remove();
  let list, table;
  const jumpToTest = (nodeid) => table.jumpTo(nodeid);
  const jumpToFinding = (finding) => list.jumpTo(finding);
  const chart = new MemoryChart(data, (test) => {
    const found = data.byTest.get(test.nodeid);
    if (found) jumpToFinding(found[0]);
    else jumpToTest(test.nodeid);
  });
  // The address may name a finding, at the beginning and later.
  const showNamed = () => {
    const named = filters.finding && data.findings.find((one) => one.id === filters.finding);
    if (named) jumpToFinding(named);
  };
  const filters = new Filters(data, () => {
    list.show();
    showNamed();
  });
  list = new FindingList(data, filters, jumpToTest);
  table = new TestTable(data, chart, jumpToFinding);
  byId("findings").hidden = false;
  byId("memory").hidden = !data.tests.length;
  byId("tests").hidden = !data.tests.length;
  filters.build(byId("filters"));
  chart.show();
  list.show();
  table.show();
  new TrendView(data, jumpToFinding).show();
  terminalSummary(data);
  showNamed();
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => {
  const words = "The report could not be shown: this browser may be too old (it needs " +
    `DecompressionStream, of 2023). ${error}`;
  const progress = byId("progress");
  if (progress) progress.textContent = words;
  throw error;
});
