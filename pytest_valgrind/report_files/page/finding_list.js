// All defects that fit the filters, as many of them on the page as the reader has reached.

// Defects that are open from the beginning, if there are no more than these.
const OPEN_AT_ONCE = 6;
const A_PIECE = 60;
// Printed in full; of more, only the titles.
const MOST_IN_PRINT = 200;

class FindingList {
  constructor(data, filters, jumpToTest) {
    Object.assign(this, { data, filters, jumpToTest });
    this.cards = new Map();
    this.list = new LongList(byId("finding-list"), A_PIECE, (entry) => this.cardOf(entry).element);
    const fold = (words, isOpen) => el("button", { type: "button", class: "quiet",
      onclick: () => this.fold(isOpen) }, words);
    fill(byId("fold"), fold("Open all shown", true), fold("Close all", false));
    addEventListener("beforeprint", () => this.prepareForPrint());
    addEventListener("afterprint", () => this.show());
  }

  show() {
    const { defects, findings } = this.data;
    const fitting = defects.map((found) => found.filter((finding) => this.filters.fits(finding)))
      .filter((found) => found.length);
    const number = fitting.reduce((sum, found) => sum + found.length, 0);
    this.cards.clear();
    this.fewEnough = fitting.length <= OPEN_AT_ONCE;
    this.list.show(fitting);
    this.say(number, findings.length, fitting.length);
  }

  say(number, all, defects) {
    const areAll = number === all;
    const words = `${areAll ? plural(number, "finding") : `${inNumber(number)} of ${
      plural(all, "finding")}`}, ${plural(defects, "defect")}`;
    const clear = el("button", { type: "button", class: "quiet",
      onclick: () => this.filters.clear() }, "Clear filters");
    fill(byId("count"), all ? words : "There are no findings.",
      this.filters.areAny ? [" ", clear] : null);
    byId("filters").hidden = byId("fold").hidden = !all;
    if (all && !number) fill(byId("finding-list"), el("p", { class: "empty" }, "None fits."));
  }

  cardOf(entry) {
    if (!this.cards.has(entry)) {
      const isOpen = this.fewEnough && entry[0].status !== "listed";
      const card = new DefectCard(this.data, entry, { isOpen, jumpToTest: this.jumpToTest });
      this.cards.set(entry, card);
    }
    return this.cards.get(entry);
  }

  fold(isOpen) {
    for (const card of this.cards.values()) card.element.open = isOpen;
  }

  // Show a finding, whatever the filters are.
  jumpTo(finding) {
    if (!this.filters.fits(finding)) this.filters.clear();
    const entry = this.list.things.find((found) => found.includes(finding));
    if (!entry) return;
    this.list.reach(entry);
    const card = this.cardOf(entry);
    card.element.open = true;
    card.build();
    card.show(finding);
    this.filters.finding = finding.id;
    this.filters.write();
    goTo(card.element);
  }

  prepareForPrint() {
    this.list.more(this.list.things.length);
    if (this.list.things.length > MOST_IN_PRINT) return;
    for (const card of this.cards.values()) {
      card.element.open = true;
      card.build();
    }
  }
}
