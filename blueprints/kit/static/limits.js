/** Bounds of the server that pages need to know. */

export const PAGE = 200; // messages in one answer, at most
