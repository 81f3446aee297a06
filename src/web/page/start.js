// The door and the house: setup, login, the way around, and which view is shown.

const VIEWS = {
  home: homeView, chip: chipView, flash: flashView, backups: backupsView, live: liveView, services: servicesView,
  settings: settingsView, log: logView, camera: cameraView,
};
/** On a phone the first four have a place of their own. */
const FIRST = ["home", "chip", "flash", "backups"];

let leave = new AbortController();
/** The status with which the login was tried, for the first view that wants one. */
let early = null;

function brand(small) {
  return h("div.brand", null,
    s("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" },
      s("rect", { width: 16, height: 16, rx: 4, fill: "var(--accent)" }),
      s("path", { fill: "var(--on-accent)", d: "M4 3h2a1 1 0 0 1 1 1v2a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zm6 0h2a1 1 0 0 1 1 1v2a1 1 0 0 1-1 1h-2a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM4 9h2a1 1 0 0 1 1 1v2a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1v-2a1 1 0 0 1 1-1zm7 0a2 2 0 1 1 0 4 2 2 0 0 1 0-4z" })),
    h("span", null, "mi360d", h("small", { id: "model" }, small ?? "")));
}

function heading(title, lead, ...more) {
  document.title = `${title} \u00b7 mi360d`;
  return h("header", null, h("div", null, h("h1", { tabindex: "-1" }, title), lead && h("p", null, lead)), more);
}

/** What the house shows of every status: which camera this is. */
function seen(status) {
  const model = document.getElementById("model");
  if (model) model.textContent = status.model + (status.simulated ? `, ${t("simulated")}` : "");
}

function showHouse() {
  const link = (name) => h("li", null, h("a", { href: "#/" + name, "data-view": name }, icon(name), t("nav." + name)));
  const nav = h("nav", { "aria-label": t("nav") },
    h("ul.first", null, FIRST.map(link), h("li.menu", null, h("button.plain", { type: "button", "aria-expanded": "false",
      onclick: (event) => {
        const open = nav.classList.toggle("open");
        event.currentTarget.setAttribute("aria-expanded", String(open));
      } }, icon("more"), t("nav.more")))),
    h("ul.rest", null, Object.keys(VIEWS).filter((name) => !FIRST.includes(name)).map(link)));
  fill(document.getElementById("app"),
    h("a.skip", { href: "#main", onclick: (event) => {
      event.preventDefault();
      document.querySelector("main h1")?.focus();
    } }, t("skip")),
    h("div.house", null,
      h("header.side", null, brand(), nav,
        h("button.plain.leave", { type: "button", onclick: logout }, icon("out"), t("logout"))),
      h("main", { id: "main" })));
}

async function logout() {
  await api("POST", "/logout").catch(() => {});
  csrf = "";
  location.hash = "";
  await route();
}

/** The first password, or the password. */
function showDoor(error) {
  leave.abort();
  const setup = error.code === "setup-needed";
  document.title = `${t(setup ? "door.setup" : "door.login")} \u00b7 mi360d`;
  const code = h("input", { type: "text", name: "code", required: true, autocomplete: "one-time-code",
    autocapitalize: "characters", spellcheck: "false", placeholder: "XXXXX-XXXXX" });
  const [row, password] = secretField(t(setup ? "door.choose" : "password"), "password",
    setup ? "new-password" : "current-password", setup ? t("password.any") : null);
  const entry = form([
    h("input.unseen", { type: "text", name: "username", value: "admin", autocomplete: "username", tabindex: "-1", "aria-hidden": "true" }),
    setup && field(t("door.code"), code, t("door.code.help")), row,
  ], t(setup ? "door.set" : "door.enter"), async () => {
    const body = setup ? { code: code.value, password: password.value } : { password: password.value };
    const answer = await api("POST", setup ? "/setup" : "/login", body, { quiet: true });
    csrf = answer.csrf;
    await route();
  });
  const closed = error.code === "no-setup-code";
  fill(document.getElementById("app"), h("main.door", { id: "main" }, h("div.sheet", null, brand(),
    h("h1", { tabindex: "-1" }, t(closed ? "door.closed" : setup ? "door.setup" : "door.login")),
    h("p.soft", null, closed ? `${error.message} ${error.hint}` : t(setup ? "door.setup.why" : "door.login.why")),
    !closed && entry,
    !setup && !closed && h("details", null, h("summary", null, t("door.forgot")), h("p", null, t("door.forgot.how"))))));
  (setup ? code : password).focus();
}

/** Shows the view that the address names. */
async function route() {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const [name, query] = location.hash.replace(/^#\/?/, "").split("?");
  const view = VIEWS[name] ?? homeView;
  try {
    if (!document.querySelector(".house")) {
      // Nothing is shown to a stranger, not even an empty house.
      if (!csrf) early = await api("GET", "/status");
      showHouse();
    }
    const main = fill(document.getElementById("main"));
    document.querySelector("nav").classList.remove("open");
    for (const link of document.querySelectorAll("nav a")) {
      if (link.dataset.view === (VIEWS[name] ? name : "home")) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const shown = view(main, signal, new URLSearchParams(query));
    main.querySelector("h1")?.focus({ preventScroll: true });
    scrollTo(0, 0);
    await shown;
  } catch (error) {
    if (error.name === "AbortError" || signal.aborted || error.status === 401) return;
    document.getElementById("main")?.append(trouble(error) ?? "");
  }
}

addEventListener("hashchange", route);
route();
