/** The close codes after which a client connects again. */
export const RETURNS = [1001, 1006, 1011, 1012, 1013, 4408, 4413];
