/** What a server sets bounds to, as far as pages need to know. */

export const PAGE = 200; // messages of one answer
