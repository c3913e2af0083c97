// Numbers, sizes, times and names in words. Everything returns a string.

const NONE = "–";

// Sizes as the terminal has them: powers of 1024, one decimal.
function inBytes(size, signed = false) {
  if (size === null || size === undefined) return NONE;
  const sign = size < 0 ? "−" : signed && size > 0 ? "+" : "";
  let rest = Math.abs(size), unit = "B";
  for (const next of ["KiB", "MiB", "GiB", "TiB"]) {
    if (rest < 1024) break;
    rest /= 1024;
    unit = next;
  }
  return `${sign}${unit === "B" ? inNumber(rest) : rest.toFixed(1)} ${unit}`;
}

function inNumber(number) {
  return number.toLocaleString("en-US");
}

function inSigned(number) {
  return number === null || number === undefined ? NONE
    : number < 0 ? `−${inNumber(-number)}` : number > 0 ? `+${inNumber(number)}` : "0";
}

function inSeconds(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  if (seconds === 0) return "0 s";
  if (seconds < 0.001) return "< 1 ms";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

function inDate(iso, withTime = false) {
  const date = new Date(iso);
  const options = { day: "numeric", month: "short", timeZone: "UTC" };
  if (withTime) Object.assign(options, { hour: "2-digit", minute: "2-digit", hour12: false });
  return date.toLocaleString("en-GB", options);
}

function plural(number, noun, several = `${noun}s`) {
  return `${inNumber(number)} ${number === 1 ? noun : several}`;
}

// The last part of a path: the rest stands in the title of what shows it.
function fileName(path) {
  return path.slice(path.lastIndexOf("/") + 1);
}

function placeOf(frame) {
  if (frame.file) return frame.line ? `${fileName(frame.file)}:${frame.line}` : fileName(frame.file);
  return frame.object ? `in ${fileName(frame.object)}` : "";
}

const PHASES = {
  setup: "during setup",
  call: "during the call",
  teardown: "during teardown",
  gc: "seen after the test and its garbage collection",
  import: "during collection",
  interrupted: "before the test was interrupted",
};

// Where a finding is, if it is of no test alone.
const PLACES = {
  fixture: "in a fixture that several tests share",
  import: "at import",
  "outside tests": "outside tests",
  "other code": "in other code (--memory-only)",
  interpreter: "in the interpreter",
  "system program": "in a program of the system",
  "ignored by a rule": "ignored by a rule",
};

const STATUSES = {
  failed: "fails",
  known: "known",
  baseline: "in the baseline",
  listed: "listed",
};
