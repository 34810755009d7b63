/** The shop's own buttons open the chat; they work before it has loaded. */

window.csapp ??= (...command) => (window.csapp.q ??= []).push(command);

for (const button of document.querySelectorAll("[data-ask]")) {
  button.addEventListener("click", () => window.csapp("open"));
}
