/** The client's address for pages of others (docs/client.md). What it is made of is in the kit. */
export * from "../kit/client.js";
