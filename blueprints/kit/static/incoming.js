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
