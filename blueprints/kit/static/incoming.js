/** What is pasted or dropped: a `DataTransfer`, or nothing. */

/** Whether *data* has files. */
export const hasFiles = (data) => Boolean(data?.types.includes("Files"));

/** The text in *data*; an address that is dragged may come without one. */
export const textOf = (data) => data?.getData("text/plain") || data?.getData("text/uri-list") || "";

/** Whether *data* has something and no text: files, or a picture of a page. A copied table has text and a picture. */
export const lacksText = (data) =>
  Boolean(data?.types.length && !data.types.some((type) => /^text\/(plain|uri-list)$/.test(type)));

/** Whether *data* is of no use where it is dropped: text that comes along with files is not what is meant there. */
export const isUseless = (data) => hasFiles(data) || lacksText(data);

/**
 * Take what is pasted or dropped on *where* (a window or an element). A browser opens a file or a link that is
 * dropped beside a box in place of the page, with all that was being written; what is pasted beside one is lost.
 * *isField(target)*: a box that takes text by itself. `text(text)` gets what came beside one, `files(files)` gets
 * the files; for what is neither it is called without any.
 */
export function receive(where, isField, { text, files }) {
  for (const [type, lacks] of [["paste", lacksText], ["drop", isUseless], ["dragover", isUseless]]) {
    where.addEventListener(type, (event) => {
      const data = event.clipboardData ?? event.dataTransfer;
      const useless = lacks(data);
      if (!useless && isField(event.target)) return;
      event.preventDefault(); // of "dragover": it can be dropped
      if (type === "dragover") return;
      if (useless) files([...(data.files ?? [])]);
      else text(textOf(data));
    });
  }
}
