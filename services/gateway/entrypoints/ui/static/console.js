// What is live on a page: the server tells its changes as HTML, and they are put in place here.
// Without this script every page reads as well, and is loaded anew now and then.
"use strict";
(() => {
  const policy = self.trustedTypes
    ? trustedTypes.createPolicy("wherry", { createHTML: (text) => text })
    : { createHTML: (text) => text };
  const main = document.getElementById("main");
  const notices = document.getElementById("notices");
  const badge = document.getElementById("live");
  let source = null;
  let seen = main.dataset.position ?? "";
  let isPaused = false;
  let waiting = [];

  const parsed = (text) => {
    const template = document.createElement("template");
    template.innerHTML = policy.createHTML(text);
    return template.content;
  };

  // Times, as how long ago they were. -----------------------------------------------------------

  const ago = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "narrow" });
  const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];
  const clock = new Intl.DateTimeFormat(undefined, {
    hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hour12: false,
  });
  const tellTime = (time, isLog) => {
    const when = new Date(time.dateTime);
    if (!time.title) time.title = time.textContent.trim();
    const seconds = Math.round((when - Date.now()) / 1000);
    const [unit, length] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
    const text = isLog
      ? clock.format(when)
      : seconds === 0 ? "now" : ago.format(Math.trunc(seconds / length), unit);
    if (time.textContent !== text) time.textContent = text;
  };
  const tellTimes = (root) => { for (const time of root.querySelectorAll("time")) tellTime(time, time.closest(".log") !== null); };

  // Changes, put in place once a frame. -----------------------------------------------------------

  const kept = {
    // What a person has opened, typed or chosen stays as it is.
    beforeAttributeUpdated: (name, node) => !(name === "open" && node.tagName === "DETAILS"),
    beforeNodeMorphed: (old) => !(old === document.activeElement && old.matches?.("input, select")),
  };
  const replace = (fresh) => {
    const old = document.getElementById(fresh.id);
    if (old) Idiomorph.morph(old, fresh, { morphStyle: "outerHTML", callbacks: kept });
  };
  // Of a list that is in another order now: the items that are new or others, and all their ids.
  const arrange = (list, told) => {
    const order = told.dataset.order.split(" ");
    const stays = new Set(order);
    for (const item of [...list.children]) if (!stays.has(item.id)) item.remove();
    const items = new Map([...list.children].map((item) => [item.id, item]));
    for (const fresh of [...told.children]) {
      if (items.has(fresh.id)) replace(fresh);
      else items.set(fresh.id, fresh);
    }
    let place = list.firstElementChild;
    for (const id of order) {
      const item = items.get(id);
      if (item && item === place) place = place.nextElementSibling;
      else if (item) list.insertBefore(item, place);
    }
  };
  const morph = (html) => {
    const content = parsed(html);
    tellTimes(content);
    for (const fresh of [...content.children]) {
      const list = fresh.dataset.order === undefined ? null : document.getElementById(fresh.id);
      if (list) arrange(list, fresh);
      else replace(fresh);
    }
  };
  const trim = (list, isFirst) => {
    const limit = Number(list.dataset.limit);
    while (list.children.length > limit) (isFirst ? list.lastElementChild : list.firstElementChild).remove();
  };
  const isAtEnd = (list) => list.scrollHeight - list.scrollTop - list.clientHeight < 48;
  const add = (html, isFirst) => {
    const list = document.getElementById("entries");
    const content = parsed(html);
    for (const time of content.querySelectorAll("time")) tellTime(time, list.matches(".log"));
    const follows = !isFirst && isAtEnd(list);
    list[isFirst ? "prepend" : "append"](content);
    trim(list, isFirst);
    if (follows) list.scrollTop = list.scrollHeight;
  };
  const apply = {
    morph,
    first: (html) => add(html, true),
    gap: (html) => add(html, true),
    last: (html) => add(html, false),
  };
  const putInPlace = () => {
    const told = waiting;
    waiting = [];
    for (const [kind, html] of told) if (html) apply[kind](html);
    for (const hint of document.querySelectorAll("[data-if-empty]")) {
      hint.hidden = document.querySelector(hint.dataset.ifEmpty)?.childElementCount > 0;
    }
  };

  // The stream: resumed by the browser, or here after a pause. ------------------------------------

  const say = (state, text) => {
    if (!badge) return;
    badge.hidden = false;
    badge.dataset.state = state;
    badge.querySelector("span").textContent = text;
  };
  const disconnect = () => { source?.close(); source = null; };
  const connect = () => {
    if (source || isPaused || !seen || document.hidden) return;
    const address = new URL(location.href);
    address.searchParams.set("after", seen);
    source = new EventSource(address);
    for (const kind of Object.keys(apply)) {
      source.addEventListener(kind, (event) => {
        if (event.lastEventId) seen = event.lastEventId;
        if (waiting.push([kind, event.data]) === 1) requestAnimationFrame(putInPlace);
      });
    }
    source.onopen = () => say("on", "live");
    source.onerror = () => {
      say("lost", "reconnecting");
      // It gave up, because it was answered an error: whoever answers may be starting.
      if (source?.readyState === EventSource.CLOSED) {
        disconnect();
        setTimeout(connect, 2000);
      }
    };
  };
  const pause = (wished) => {
    isPaused = wished;
    disconnect();
    if (isPaused) say("paused", "paused");
    else connect();
  };
  badge?.addEventListener("click", () => pause(!isPaused));
  // A page that nobody sees holds no connection: a browser has six for a host.
  document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", connect);

  // Forms: filters show their outcome in place, actions tell theirs. ------------------------------

  const visit = async (address) => {
    const answer = await fetch(address, { headers: { accept: "text/html" } });
    const page = new DOMParser().parseFromString(policy.createHTML(await answer.text()), "text/html");
    const fresh = page.getElementById("main");
    if (!answer.ok || !fresh) { location.assign(address); return; }
    disconnect();
    history.replaceState(null, "", address);
    tellTimes(fresh);
    Idiomorph.morph(main, document.adoptNode(fresh), { morphStyle: "outerHTML", callbacks: kept });
    seen = main.dataset.position ?? "";
    connect();
  };
  let typing = 0;
  const filterSoon = (form, delay) => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      const asked = new URLSearchParams(new FormData(form));
      for (const [key, value] of [...asked]) if (!value) asked.delete(key);
      visit(`${form.getAttribute("action")}?${asked}`);
    }, delay);
  };
  const notify = (answer, html) => {
    const notice = parsed(html).firstElementChild;
    notices.replaceChildren(notice);
    setTimeout(() => notice.remove(), answer.ok ? 6000 : 20000);
    return notice;
  };
  const act = async (form, button) => {
    const body = new URLSearchParams(new FormData(form, button));
    for (const each of form.querySelectorAll("button")) each.disabled = true;
    form.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(form.getAttribute("action"), {
        method: "POST", body, headers: { "wherry-notice": "1" },
      });
      const notice = notify(answer, await answer.text());
      if (answer.ok) {
        form.closest("details.confirm")?.removeAttribute("open");
        form.reset();
        const back = notice.dataset.back;
        if (back && back !== location.pathname) location.assign(back);
      }
    } catch {
      notify({ ok: false }, '<p class="notice bad">The gateway did not answer: it may be starting. Try again.</p>');
    } finally {
      form.removeAttribute("aria-busy");
      for (const each of form.querySelectorAll("button")) each.disabled = false;
    }
  };
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-action]")) { event.preventDefault(); act(form, event.submitter); }
    if (form.matches("[data-filter]")) { event.preventDefault(); filterSoon(form, 0); }
  });
  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (form?.matches("[data-filter]")) filterSoon(form, 250);
  });
  // Of what asks before it acts, one is open at a time.
  document.addEventListener("toggle", (event) => {
    if (!event.target.matches?.("details.confirm") || !event.target.open) return;
    for (const each of document.querySelectorAll("details.confirm[open]")) if (each !== event.target) each.open = false;
  }, true);

  // Logs: at their end they follow, else a button leads there. -------------------------------------

  const log = document.querySelector("[data-follow]");
  const toEnd = document.getElementById("to-end");
  if (log) {
    log.addEventListener("scroll", () => { toEnd.hidden = isAtEnd(log); }, { passive: true });
    toEnd.addEventListener("click", () => { log.scrollTop = log.scrollHeight; });
  }

  // Keys. ----------------------------------------------------------------------------------------

  const keys = document.getElementById("keys");
  let isGoing = false;
  const step = (by) => {
    const links = [...document.querySelectorAll("[data-row] th a")];
    const at = links.indexOf(document.activeElement);
    links[Math.max(0, Math.min(links.length - 1, at + by))]?.focus();
  };
  const commands = {
    "/": () => document.querySelector("[data-search]")?.focus(),
    "?": () => keys.showModal(),
    ".": () => badge && pause(!isPaused),
    j: () => step(1),
    k: () => step(-1),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
    if (event.key === "Escape") {
      for (const each of document.querySelectorAll("details.confirm[open]")) { each.open = false; each.querySelector("summary").focus(); }
    }
    if (event.target.matches?.("input, select, textarea")) return;
    if (isGoing) {
      isGoing = false;
      document.querySelector(`nav [data-key="${CSS.escape(event.key)}"]`)?.click();
    } else if (event.key === "g") {
      isGoing = true;
      setTimeout(() => { isGoing = false; }, 1500);
    } else if (commands[event.key]) {
      event.preventDefault();
      commands[event.key]();
    }
  });

  document.documentElement.classList.add("live-page");
  tellTimes(document);
  setInterval(() => { if (!document.hidden && !isPaused) tellTimes(document); }, 5000);
  if (log) log.scrollTop = log.scrollHeight;
  connect();
})();
