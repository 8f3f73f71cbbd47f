// Light or dark before anything is painted; "auto" follows the system. A plain script, so that it runs first.
(function () {
  const kinds = ["auto", "light", "dark"];
  const names = { auto: "Theme: as the system", light: "Theme: light", dark: "Theme: dark" };
  const signs = { auto: "◐", light: "○", dark: "●" };
  const root = document.documentElement;
  let kind = "auto";
  try {
    kind = localStorage.getItem("theme") || "auto";
  } catch {
    // Without storage the choice lasts as long as the page.
  }

  function show() {
    if (!kinds.includes(kind)) kind = "auto";
    root.dataset.theme = kind;
    const button = document.getElementById("theme");
    if (button) {
      button.textContent = signs[kind];
      button.setAttribute("aria-label", names[kind]);
      button.title = names[kind];
    }
  }

  show();
  document.addEventListener("DOMContentLoaded", () => {
    show();
    document.getElementById("theme").addEventListener("click", () => {
      kind = kinds[(kinds.indexOf(kind) + 1) % kinds.length];
      try {
        localStorage.setItem("theme", kind);
      } catch {
        // As above.
      }
      show();
    });
  });
})();
