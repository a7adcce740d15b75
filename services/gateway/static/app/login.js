// Logs in with a typed token, or with the one that the suite printed behind the address (/#token=…).

import { ApiError, post } from "./api.js";
import { language, setLanguage, t } from "./i18n.js";

setLanguage(language());
for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);

async function login(token) {
  const error = document.getElementById("error");
  error.textContent = "";
  try {
    await post("/login", { token });
  } catch (problem) {
    error.textContent = problem instanceof ApiError && problem.status === 401 ? t("wrongToken") : problem.message;
    return;
  }
  // Compared as a browser reads it: a backslash counts as a slash, so two of either kind would lead to another host.
  const next = new URL(new URLSearchParams(location.search).get("next") ?? "/", location.origin);
  location.replace(next.origin === location.origin ? next.pathname : "/");
}

document.getElementById("login").addEventListener("submit", (event) => {
  event.preventDefault();
  login(document.getElementById("token").value);
});

document.querySelector("#login button").disabled = false; // from here on a submitted token cannot end up in the address

const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  history.replaceState(null, "", location.pathname + location.search); // the token shall not stay in the history
  login(given);
}
