/** Choices that a waiter offers, and the one that the visitor has taken: by the same rule as the server's. */

/**
 * By the ids of those of *messages* that offer choices: `{answer, isOpen}`. `answer` is the message that has taken one;
 * of an open offer each choice may be taken. The first answer counts, and of several offers with a choice the latest.
 */
export function offers(messages) {
  const found = new Map();
  const latest = new Map(); // choice → the offer that has it
  for (const { id, choices, choice, state, ...message } of messages) {
    const offer = choices && { answer: undefined, isOpen: true };
    for (const one of choices ?? []) {
      const before = latest.get(one.id);
      if (before) before.isOpen = false;
      latest.set(one.id, offer);
    }
    if (offer) found.set(id, offer);
    const taken = state === "failed" ? undefined : latest.get(choice);
    if (!taken || taken.answer) continue;
    taken.answer = { id, choice, ...message };
    taken.isOpen = false;
  }
  return found;
}
