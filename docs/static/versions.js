// A switch between the published versions of the site; where there is no list of them, as in a local build, none is shown.
document.addEventListener("DOMContentLoaded", async () => {
  const root = new URL(document.documentElement.dataset.content_root ?? "./", window.location.href);
  if (!root.protocol.startsWith("http")) return;
  const answer = await fetch(new URL("../versions.json", root)).catch(() => null);
  const brand = document.querySelector(".sidebar-brand");
  if (!answer?.ok || !brand) return;
  const here = root.pathname.split("/").filter(Boolean).at(-1);
  const select = document.createElement("select");
  select.className = "versions";
  select.setAttribute("aria-label", "Version of these pages");
  for (const version of await answer.json()) select.add(new Option(version, version, false, version === here));
  select.addEventListener("change", () => window.location.assign(new URL(`../${select.value}/`, root)));
  brand.after(select);
});
