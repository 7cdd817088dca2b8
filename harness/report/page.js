// A click on a column's head sorts by it, a second one the other way round. Empty values stay at the end.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = ({ cells }) => cells[column].dataset.sort ?? cells[column].textContent.toLowerCase();
      const isNumber = head.dataset.type === "number";
      const compare = (a, b) => {
        const [x, y] = [key(a), key(b)];
        if (x === "" || y === "") return (x === "") - (y === "");
        const order = isNumber ? x - y : x.localeCompare(y);
        return down ? -order : order;
      };
      table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
    });
  });
}
// What is narrowed away: whatever has values of a kind that is chosen, and the chosen one is not among them.
const filters = document.querySelector(".filters");
if (filters) {
  const narrowed = [...document.querySelectorAll("[data-of]")].map((element) => [element, element.dataset.of.split(" ")]);
  const narrow = () => {
    const chosen = [...filters.querySelectorAll("select")].map((select) => select.value).filter(Boolean);
    const isOther = (own, token) => own.some((each) => each[0] === token[0]) && !own.includes(token);
    for (const [element, own] of narrowed) element.hidden = chosen.some((token) => isOther(own, token));
    const numHidden = narrowed.filter(([element]) => element.hidden).length;
    filters.querySelector("output").textContent = numHidden ? `hide ${numHidden} of ${narrowed.length} rows, pictures and failures` : "";
  };
  filters.hidden = false;
  filters.addEventListener("change", narrow);
  narrow(); // a browser may have kept what was chosen
}
// A click on what a row begins with points at the row; what is pointed at is unfolded.
addEventListener("click", ({ target }) => {
  const row = target.closest("tbody tr[id] > :first-child")?.parentElement;
  if (row) location.hash = row.id;
});
const unfold = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let fold = target?.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  target?.scrollIntoView();
};
addEventListener("hashchange", unfold);
if (location.hash) unfold();
