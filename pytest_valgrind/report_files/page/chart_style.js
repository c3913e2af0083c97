// How charts look: colours are those of the page, so that they follow its theme.

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

const FONT = "12px system-ui, -apple-system, 'Segoe UI', sans-serif";
// Steps of an axis for bytes: round numbers in the unit of its greatest value.
function stepsOfBytes(chart, number, min, max) {
  const unit = 1024 ** powerOf(Math.max(Math.abs(min), Math.abs(max)));
  const steps = [];
  for (let ten = -3; ten <= 3; ten += 1) {
    for (const digit of [1, 2, 5]) steps.push(digit * 10 ** ten * unit);
  }
  return steps;
}

// Which unit fits a size: 0 for bytes, 1 for KiB, ...
function powerOf(size) {
  return Math.min(Math.floor(Math.log2(Math.max(Math.abs(size), 1)) / 10), 4);
}

function axis(words, more = {}) {
  return {
    stroke: () => colour("muted"),
    font: FONT,
    grid: { stroke: () => colour("grid"), width: 1 },
    ticks: { show: false },
    values: (chart, splits, number, space, step) => splits.map(
      (value) => (value === null ? "" : words(value, step))),
    ...more,
  };
}

// With as many decimals as tell one mark of an axis from the next.
function inBytesByStep(size, step) {
  const power = powerOf(size);
  const wanted = Math.ceil(-Math.log10(step / 1024 ** power) - 0.01);
  const number = (size / 1024 ** power).toFixed(Math.min(Math.max(wanted, 0), 3));
  return `${number.replace("-", "−")} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

function bytesAxis(more = {}) {
  return axis(inBytesByStep, { incrs: stepsOfBytes, size: 78, space: 36, ...more });
}

// The width of A4 and of letter paper within margins, in pixels of CSS.
const PAPER = 680;

// Draws a chart in an element, as wide as that is, and again when that changes.
function chartIn(holder, height, options, values) {
  const chart = new uPlot(
    { width: Math.max(holder.clientWidth, 200), height, legend: { show: false }, ...options },
    values, holder);
  new ResizeObserver(() => {
    const width = holder.clientWidth;
    if (width && width !== chart.width) chart.setSize({ width, height });
  }).observe(holder);
  addEventListener("themechange", () => chart.redraw(false, true));
  addEventListener("beforeprint", () => chart.setSize({ width: Math.min(holder.clientWidth, PAPER),
    height }));
  addEventListener("afterprint", () => chart.setSize({ width: holder.clientWidth, height }));
  return chart;
}
