// The run: the document that the page carries, and what is looked up in it again and again.

async function unpacked(id) {
  const text = atob(byId(id).textContent);
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

const STATUS_ORDER = ["failed", "known", "baseline", "listed"];

class RunData {
  constructor(run, trend) {
    this.document = run;
    this.trend = trend;
    this.tests = run.tests;
    this.findings = run.findings;
    this.numbers = new Map(run.tests.map((test, index) => [test.nodeid, index]));
    this.newOnes = new Set(trend.new || []);
    this.byTest = new Map();
    const defects = new Map();
    for (const finding of run.findings) {
      for (const nodeid of finding.tests) {
        if (!this.byTest.has(nodeid)) this.byTest.set(nodeid, []);
        this.byTest.get(nodeid).push(finding);
      }
      finding.functions = functionsOf(finding);
      if (!defects.has(finding.defect)) defects.set(finding.defect, []);
      defects.get(finding.defect).push(finding);
    }
    for (const found of this.byTest.values()) found.sort((a, b) => rank(a) - rank(b));
    // What fails first, then what is in most tests.
    this.defects = [...defects.values()];
    for (const found of this.defects) {
      found.sort((a, b) => rank(a) - rank(b) || (a.place !== "test") - (b.place !== "test"));
    }
    this.defects.sort((a, b) => rank(a[0]) - rank(b[0]) || b.length - a.length);
    // A test of which a worker died has no memory, and none that could be asked for its name.
    const measured = run.tests.filter((test) => test.memory);
    this.workers = [...new Set(measured.map((test) => test.worker || ""))];
  }

  // Of a test: what the worst of its findings is, null if it has none.
  statusOf(nodeid) {
    const found = this.byTest.get(nodeid);
    return found ? found[0].status : null;
  }

  sourceAround(frame) {
    const lines = frame.file && frame.line ? this.document.sources[frame.file] : null;
    if (!lines || lines[frame.line] === undefined) return [];
    const around = [];
    for (let number = frame.line - 3; number <= frame.line + 3; number += 1) {
      if (lines[number] !== undefined) around.push([number, lines[number]]);
    }
    while (around.length && !around[0][1].trim() && around[0][0] < frame.line) around.shift();
    while (around.length && !around.at(-1)[1].trim() && around.at(-1)[0] > frame.line) around.pop();
    return around;
  }
}

function rank(finding) {
  return STATUS_ORDER.indexOf(finding.status);
}

// The C functions that a reader may look for: those of stacks, but not of Python.
function functionsOf(finding) {
  const stacks = [finding.stack || [], ...(finding.further || []).map((further) => further.stack)];
  const names = stacks.flat().filter((frame) => frame.owner !== "Python")
    .map((frame) => frame.function);
  return [...new Set(names)];
}

// The culprit: the innermost frame of the extension, else of a library.
function culpritOf(stack) {
  for (const owner of ["extension", "library"]) {
    const found = stack.findIndex((frame) => frame.owner === owner);
    if (found >= 0) return found;
  }
  return -1;
}
