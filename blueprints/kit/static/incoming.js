/** What is pasted or dropped. */

/** Whether *data*, a `DataTransfer` or nothing, has files. */
export const hasFiles = (data) => Boolean(data?.types.includes("Files"));

/** Whether *data* has files and no text: a table that is copied is both, text and picture. */
export const isOfFiles = (data) => hasFiles(data) && !data.getData("text/plain");
