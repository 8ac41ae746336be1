// Keeps the public files and two pages for when there is no connection: one that says so, and the
// one that checks receipts, which needs none. Pages with a household's
// data are never kept: whoever opens this browser next must not find them.
// SHELL, the files to keep, STAMP, a hash of them all, and ICON are written in front of this by the gateway.

const CACHE = "shell:" + STAMP;
const OFFLINE = "/offline";
const RECEIPT = "/receipt";
const PAGES = [OFFLINE, RECEIPT].map((page) => new Request(page, { credentials: "omit" }));

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches.open(CACHE).then((cache) => cache.addAll([...SHELL, ...PAGES])).then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches.keys()
      .then((names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (request.mode === "navigate") {
    event.respondWith(fetch(request).catch(() => caches.match(url.pathname === RECEIPT ? RECEIPT : OFFLINE, { ignoreVary: true })));
  } else if (SHELL.includes(url.pathname + url.search)) {
    event.respondWith(caches.match(request).then((kept) => kept || fetch(request)));
  }
});

// A notice that the gateway encrypted for this browser; with the same id it is shown once.
self.addEventListener("push", (event) => {
  const told = event.data ? event.data.json() : {};
  event.waitUntil(self.registration.showNotification(told.title || self.location.host, {
    body: told.text, tag: told.id, lang: told.language, icon: ICON,
  }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.openWindow("/notices"));
});
