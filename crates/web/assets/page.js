"use strict";
// What the pages do beside links and forms: older messages as one scrolls, new ones as they come, and keys.
// No text is ever made markup here: pages are parsed by the browser as documents, and their elements moved over.
(() => {
  const $ = (query) => document.querySelector(query);
  const id = document.body.dataset.conversation;
  const [list, box, note] = [$("#messages"), $("#transcript"), $("#note")];
  const load = (url) => new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("GET", url);
    request.responseType = "document";
    request.timeout = 15000;
    request.onload = () => request.status === 200 && request.response ? done(request.response) : failed(request.status);
    request.onerror = request.ontimeout = () => failed(0);
    request.send();
  });
  const say = (text) => { if (note) { note.textContent = text; note.hidden = !text; } };
  const key = (item) => decodeURIComponent(item.dataset.sk);
  const atEnd = () => box.scrollHeight - box.scrollTop - box.clientHeight < 80;
  const toEnd = () => { box.scrollTop = box.scrollHeight; };

  // Days are headings of their own, and one who goes on writing is named once.
  const tidy = () => {
    list.querySelectorAll(".day").forEach((day) => day.remove());
    let before = null;
    for (const item of list.querySelectorAll(":scope > .m")) {
      const sameDay = before !== null && before.dataset.day === item.dataset.day;
      if (!sameDay) {
        const day = document.createElement("li");
        const heading = document.createElement("h2");
        day.className = "day";
        heading.textContent = item.dataset.day;
        day.append(heading);
        item.before(day);
      }
      item.classList.toggle("run", sameDay && !!item.dataset.by && before.dataset.by === item.dataset.by);
      before = item;
    }
  };
  const unseen = (page) => [...page.querySelectorAll("#messages > .m")]
    .filter((item) => !document.getElementById(item.id)).map((item) => document.importNode(item, true));

  const older = async (link) => {
    const page = await load(link.href);
    const height = box.scrollHeight - box.scrollTop;
    list.prepend(...unseen(page));
    tidy();
    const next = page.querySelector("#older");
    if (next) link.href = next.getAttribute("href"); else link.remove();
    box.scrollTop = box.scrollHeight - height;
  };
  const newer = async (from) => {
    let url = `/c/${id}` + (from ? `?from=${from}` : "");
    while (url) {
      const page = await load(url);
      const stays = !atEnd();
      for (const item of unseen(page)) {
        let at = list.lastElementChild;
        while (at && (at.matches(".day") || key(at) > key(item))) at = at.previousElementSibling;
        item.classList.add("fresh");
        if (at) at.after(item); else list.prepend(item);
      }
      if (list.firstElementChild) box.querySelector(".empty")?.remove();
      tidy();
      if (!stays) toEnd();
      url = page.querySelector("#newer")?.getAttribute("href");
    }
  };
  // One after the other, so that nothing comes twice.
  let work = Promise.resolve();
  const queue = (task) => { work = work.then(task).catch((status) => say(status === 401 ? "This page is signed out: `ddb web` was restarted. Press Enter at its terminal for a new link." : "The table or `ddb web` does not answer. This page tries again.")); return work; };

  if (list && box) {
    if (location.hash === "#end" || !location.hash && !location.search) toEnd();
    const more = $("#older");
    if (more) {
      let busy = false;
      const go = async (event) => {
        event?.preventDefault();
        if (busy) return;
        busy = true;
        await queue(() => older(more));
        busy = false;
      };
      more.addEventListener("click", go);
      new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && go(), { root: box, rootMargin: "300px 0px 0px" }).observe(more);
    }
    // A browser has six connections to a host. So four pages hold one to wait for news, and the others ask now and then.
    const slot = async () => {
      if (!navigator.locks) return () => {};
      for (const n of [0, 1, 2, 3]) {
        const release = await new Promise((done) => navigator.locks.request(`news-${n}`, { ifAvailable: true },
          (lock) => lock ? new Promise((end) => done(end)) : done(null)));
        if (release) return release;
      }
      return null;
    };
    const catchUp = () => queue(async () => { await newer(list.lastElementChild?.dataset.sk); say(""); });
    // A page in the middle of a conversation has a link to what comes next, and is not live.
    let live = null;
    const open = async () => {
      if (live || document.hidden || $("#newer")) return;
      const mine = live = {};
      mine.release = await slot();
      // It was closed meanwhile.
      if (live !== mine) return mine.release?.();
      if (!mine.release) {
        catchUp();
        mine.timer = setTimeout(() => { close(); open(); }, 3000);
        return;
      }
      const source = mine.source = new EventSource(`/c/${id}/events`);
      source.addEventListener("open", catchUp);
      source.addEventListener("back", catchUp);
      source.addEventListener("news", (event) => queue(() => newer(encodeURIComponent(JSON.parse(event.data)))));
      source.addEventListener("lost", (event) => say(`No news just now, trying again: ${JSON.parse(event.data)}`));
      source.addEventListener("touched", (event) => document.querySelector(`.people a[data-id="${CSS.escape(JSON.parse(event.data))}"]`)?.classList.add("new"));
      source.addEventListener("error", () => {
        say("`ddb web` does not answer. This page tries again; where it was started anew, it wants a new link.");
        if (live === mine && source.readyState === EventSource.CLOSED) { close(); setTimeout(open, 5000); }
      });
    };
    const close = () => {
      const mine = live;
      live = null;
      clearTimeout(mine?.timer);
      mine?.source?.close();
      mine?.release?.();
    };
    document.addEventListener("visibilitychange", () => document.hidden ? close() : open());
    window.addEventListener("pagehide", close);
    window.addEventListener("pageshow", open);
    open();
  }

  $(".write")?.addEventListener("submit", (event) => { event.target.querySelector("button").disabled = true; });
  $("#text")?.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    event.target.form.requestSubmit();
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, textarea");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && typing) event.target.blur();
    if (typing) return;
    if (event.key === "/" && $("#q")) { event.preventDefault(); $("#q").focus(); }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.target === box) return;
    const links = [...document.querySelectorAll(".people a")];
    const now = links.indexOf(document.activeElement);
    const from = now < 0 ? links.findIndex((link) => link.hasAttribute("aria-current")) : now;
    const next = links[Math.max(0, Math.min(links.length - 1, from + step))];
    if (next) { event.preventDefault(); next.focus(); }
  });
})();
