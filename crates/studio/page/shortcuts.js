// Keys of the whole page; fields keep theirs.

/** Calls the action of a key: `actions` maps keys as `KeyboardEvent.key` has them. */
export function listen(actions) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const { target, key } = event;
    if (document.querySelector("dialog[open]")) return;
    if (target.matches("select, input:not([type=checkbox], [type=range])")) return;
    const moves = key.startsWith("Arrow") || key === "Home" || key === "End";
    if (moves && target.matches("input, [role=radio]")) return;
    if (key === " " && target.matches("button, input[type=checkbox]")) return;
    const action = actions[key] ?? actions[key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}
