// Elements of the page. Texts become text nodes, so that nothing in a report is read as markup.

// el("p", {class: "x", onclick: f}, "text", element, null) makes an element.
function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  add(made, children);
  return made;
}

function add(parent, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) parent.append(child);
  }
}

function fill(parent, ...children) {
  parent.replaceChildren();
  add(parent, children);
  return parent;
}

// A long name that may go on in the next line where its parts meet.
function breakable(name) {
  return name.split(/(?<=[/:_.[\]-])(?=[^/:_.[\]-])/).flatMap(
    (part, index) => (index ? [el("wbr"), part] : [part]));
}

function byId(id) {
  return document.getElementById(id);
}

// A <details> whose content is made when it is opened for the first time.
function folded(title, make, attributes = {}) {
  const made = el("details", attributes, el("summary", {}, title));
  const build = () => {
    if (made.open && !made.dataset.built) {
      made.dataset.built = "yes";
      add(made, [make()]);
    }
  };
  made.addEventListener("toggle", build);
  made.build = build;
  build();
  return made;
}

function copyButton(text) {
  const button = el("button", { type: "button", class: "quiet" }, "Copy");
  button.addEventListener("click", async () => {
    button.textContent = (await copied(text)) ? "Copied" : "Select it and copy";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  return button;
}

// A page from a file has no clipboard in some browsers: there a selection is copied.
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = el("textarea", { class: "off-screen" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

// Shows a long list in pieces: a button brings the next one. It does not come by itself when the
// reader gets there, as what stands below the list could not be reached then.
class LongList {
  // after: the element below which the button stands.
  constructor(holder, size, make, after = holder) {
    Object.assign(this, { holder, size, make, after, things: [], shown: 0 });
    this.end = el("p", { class: "list-end" });
  }

  show(things) {
    this.things = things;
    this.shown = 0;
    this.holder.replaceChildren();
    this.more();
  }

  more(number = this.size) {
    const next = this.things.slice(this.shown, this.shown + number);
    this.holder.append(...next.map((thing) => this.make(thing)));
    this.shown += next.length;
    this.end.remove();
    const left = this.things.length - this.shown;
    if (left <= 0) return;
    const button = (words, more) => el("button", { type: "button", onclick: () => {
      const last = this.holder.lastElementChild;
      this.more(more);
      goTo(last.nextElementSibling);
    } }, words);
    fill(this.end,
      left > this.size ? button(`Show ${inNumber(this.size)} more`, this.size) : null,
      button(`Show all ${inNumber(left)} that are left`, left));
    this.after.after(this.end);
  }

  // Make sure that a thing is there, however far down.
  reach(thing) {
    const index = this.things.indexOf(thing);
    if (index >= this.shown) this.more(index + 1 - this.shown + this.size);
    return index >= 0;
  }
}

// Scroll to an element and give it the focus, so that the keyboard goes on from there.
function goTo(element) {
  element.setAttribute("tabindex", "-1");
  element.focus({ preventScroll: true });
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  element.scrollIntoView({ block: "start", behavior: isCalm ? "auto" : "smooth" });
  element.classList.remove("arrived");
  requestAnimationFrame(() => element.classList.add("arrived"));
}
