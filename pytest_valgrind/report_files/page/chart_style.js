// How charts look: colours are those of the page, so that they follow its theme.

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

const FONT = "12px system-ui, -apple-system, 'Segoe UI', sans-serif";
// Bytes on an axis go in powers of two.
const BINARY_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power);

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
  const power = Math.min(Math.floor(Math.log2(Math.max(Math.abs(size), 1)) / 10), 4);
  const decimals = Math.min(Math.max(Math.ceil(-Math.log10(step / 1024 ** power)), 0), 3);
  const number = (size / 1024 ** power).toFixed(decimals);
  return `${decimals ? number.replace(/\.?0+$/, "") : number} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

function bytesAxis(more = {}) {
  return axis(inBytesByStep, { incrs: BINARY_STEPS, size: 74, space: 36, ...more });
}

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
  return chart;
}
