/** What is pasted or dropped: a `DataTransfer`, or nothing. */

/** Whether *data* has files. */
export const hasFiles = (data) => Boolean(data?.types.includes("Files"));

/** The text in *data*; an address that is dragged may come without one. */
export const textOf = (data) => data?.getData("text/plain") || data?.getData("text/uri-list") || "";

/** Whether *data* has something and no text: files, or a picture of a page. A copied table has text and a picture. */
export const lacksText = (data) =>
  Boolean(data?.types.length && !data.types.some((type) => /^text\/(plain|uri-list)$/.test(type)));
