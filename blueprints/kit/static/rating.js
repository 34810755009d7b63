/** Until when a visitor may rate a conversation. */

const CHANGEABLE = 86_400_000; // ms, after its first rating

/** Whether the visitor may rate *chat* of *client*, or change its rating, by the server's clock. */
export function mayRate(client, { rating }) {
  return Boolean(client.me?.ratings) && (!rating || client.now() - rating.since < CHANGEABLE);
}
