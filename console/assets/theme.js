// Sets the chosen theme before the first paint. A classic script on purpose: modules run too late.
"use strict";
try {
  const chosen = localStorage.getItem("strowger.theme");
  if (chosen === "light" || chosen === "dark") {
    document.documentElement.dataset.theme = chosen;
  }
} catch {
  // Storage may be forbidden: the system's preference then holds.
}
