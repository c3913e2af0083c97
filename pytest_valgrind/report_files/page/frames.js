// Stacks: the culprit in the light, source lines where they are known, the interpreter folded.

// Of a run of frames that are nobody's of the project, these many stand before the fold.
const SHOWN_OF_A_RUN = 1;

// isFurther: whether it is of another time, as that of an allocation is of an invalid read.
function stackView(data, stack, isFurther = false) {
  const list = el("ol", { class: "stack" });
  const culprit = culpritOf(stack);
  if (isFurther && culprit >= 0) {
    stack = stack.map((frame, index) => (index === culprit ? { ...frame, isShown: true } : frame));
  }
  let run = [];
  const flush = () => {
    const shown = run.length <= SHOWN_OF_A_RUN + 1 ? run : run.slice(0, SHOWN_OF_A_RUN);
    const hidden = run.slice(shown.length);
    list.append(...shown.map((frame) => frameView(data, frame, false)));
    if (hidden.length) list.append(foldView(data, hidden));
    run = [];
  };
  stack.forEach((frame, index) => {
    if (["extension", "library", "Python"].includes(frame.owner)) {
      flush();
      list.append(frameView(data, frame, index === culprit && !isFurther));
    } else run.push(frame);
  });
  flush();
  return list;
}

function foldView(data, frames) {
  const words = `${plural(frames.length, "more frame")} of ${ownersOf(frames)}`;
  const button = el("button", { type: "button", class: "quiet" }, words);
  const item = el("li", { class: "fold" }, button);
  button.addEventListener("click", () => {
    const made = frames.map((frame) => frameView(data, frame, false));
    item.replaceWith(...made);
    made[0].setAttribute("tabindex", "-1");
    made[0].focus();
  });
  return item;
}

const OWNERS = {
  interpreter: "the interpreter", libc: "the C library", valgrind: "valgrind",
  generated: "generated code", unknown: "unknown code",
};

function ownersOf(frames) {
  const names = [...new Set(frames.map((frame) => OWNERS[frame.owner] || frame.owner))];
  return names.length > 1 && names.includes("the interpreter") ? "the interpreter" : names.join(", ");
}

function frameView(data, frame, isCulprit) {
  const source = data.sourceAround(frame);
  const place = placeOf(frame);
  const where = [frame.file && (frame.line ? `${frame.file}:${frame.line}` : frame.file),
    frame.object].filter(Boolean).join("\n");
  const words = [
    el("code", { class: "function" }, frame.function),
    place ? el("span", { class: "place", title: where }, place) : null,
    isCulprit ? el("span", { class: "culprit-mark" }, "here") : null,
  ];
  const attributes = { class: `frame ${ownerClass(frame)}${isCulprit ? " culprit" : ""}` };
  if (!source.length) return el("li", attributes, el("div", { class: "line" }, words));
  const isOpen = isCulprit || frame.owner === "Python" || frame.isShown;
  return el("li", attributes, folded(
    el("span", { class: "line" }, words), () => sourceView(frame, source), { open: isOpen }));
}

function ownerClass(frame) {
  return `owner-${(frame.owner || "unknown").toLowerCase()}`;
}

function sourceView(frame, source) {
  const indent = Math.min(...source.filter(([, text]) => text.trim())
    .map(([, text]) => text.length - text.trimStart().length));
  return el("div", { class: "source" },
    el("p", { class: "path" }, `${frame.file}:${frame.line}`),
    el("pre", { tabindex: "0" }, source.map(([number, text]) => {
      const isIt = number === frame.line;
      return el(isIt ? "mark" : "span", { class: "source-line" },
        el("span", { class: "line-number" }, String(number)), `${text.slice(indent)}\n`);
    })));
}
