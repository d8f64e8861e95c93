"use strict";

// Keeps the page fresh: the server sends the regions that have changed, as HTML that it has escaped. Without this file
// the page is whole as it was loaded. A page that nobody sees listens to nothing.
(() => {
  const live = document.body.dataset.live;
  const fresh = document.getElementById("fresh");
  const RETRY_MS = 5000;
  let source = null;
  let timer = 0;

  // What had the focus in a region has it again after the region is replaced.
  const focusedIn = (region) => {
    const active = document.activeElement;
    return region.contains(active) ? active.getAttribute("href") : null;
  };

  const replace = (id, html) => {
    const region = document.getElementById(id);
    if (!region) return;
    const holder = document.createElement("template");
    holder.innerHTML = html;
    if (region.innerHTML.trim() === holder.innerHTML.trim()) return;
    const href = focusedIn(region);
    region.replaceChildren(holder.content);
    if (href === null) return;
    const again = [...region.querySelectorAll("a")].find((link) => link.getAttribute("href") === href);
    if (again) again.focus({ preventScroll: true });
  };

  const lost = () => {
    const line = document.createElement("p");
    line.className = "alarm";
    line.textContent = fresh.dataset.lost;
    fresh.replaceChildren(line);
  };

  const close = () => {
    clearTimeout(timer);
    if (source) source.close();
    source = null;
  };

  // A stream that was refused is not opened again by the browser: 401 asks for a login, all else is tried again.
  const ask = async () => {
    try {
      const answer = await fetch(live, { method: "HEAD", cache: "no-store" });
      if (answer.status === 401) {
        location.reload();
        return;
      }
    } catch {
      // the service is away
    }
    timer = setTimeout(open, RETRY_MS);
  };

  const open = () => {
    close();
    if (document.hidden) return;
    source = new EventSource(live);
    source.addEventListener("regions", (event) => {
      for (const [id, html] of Object.entries(JSON.parse(event.data))) replace(id, html);
    });
    source.onerror = () => {
      lost();
      if (source && source.readyState === EventSource.CLOSED) {
        close();
        ask();
      }
    };
  };

  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", open);
})();
